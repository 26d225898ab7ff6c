"""Figures of time and memory."""

from collections.abc import Mapping

import numpy as np

from mmjax.plots.style import COLOURS, Plot, line, literal, new_figure


def race(runs: Mapping[str, np.ndarray], goal: float) -> Plot:
    """Draw validation loss over seconds of training.

    Each run has rows of (seconds, step, loss) [looks, 3]. A dashed line marks the loss `goal`.
    """
    figure, axes = new_figure(5, 9)
    axes.axhline(goal, color=COLOURS[6], linewidth=1, linestyle="--")
    axes.annotate(
        f"{goal:g}",
        (1, goal),
        xycoords=("axes fraction", "data"),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        size=9,
    )
    for i, (name, points) in enumerate(runs.items()):
        seconds, _, loss = points.T
        axes.plot(
            seconds,
            loss,
            label=literal(f"{name}: {loss[-1]:.4f} after {seconds[-1]:,.3g} s"),
            **line(i),
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("seconds of training, without compilation")
    axes.set_ylabel("validation loss, nats per character")
    top = max(float(np.median(points[:, 2])) for points in runs.values())
    low = min(float(points[:, 2].min()) for points in runs.values())
    axes.set_ylim(low - 0.02, max(top, goal) + 0.15)
    axes.legend(fontsize=9)
    axes.set_title("Validation loss over training time: lower and further left is better")
    return figure


def step_costs(costs: Mapping[str, np.ndarray]) -> Plot:
    """Draw the time of a training step against each of its sizes.

    Each array [3, sizes] has the rows size, step and floor. Step and floor are in microseconds; the
    floor is the step's matrix products alone.
    """
    figure = Plot(figsize=(10, 2.2 + 2.6 * (len(costs) // 2)), layout="constrained")
    panels = figure.subplots(-(-len(costs) // 2), 2, sharey=True, squeeze=False).ravel()
    for axes, (name, (sizes, step, floor)) in zip(panels, costs.items(), strict=False):
        axes.loglog(sizes, step, marker="o", markersize=4, label="training step", **line(0))
        axes.loglog(sizes, floor, marker=".", label="its matrix products alone", **line(6))
        axes.set_xticks(sizes, [f"{size:,.0f}" for size in sizes])
        axes.minorticks_off()
        axes.set_xlabel(name)
        axes.grid(alpha=0.3)
    for axes in panels[::2]:
        axes.set_ylabel("µs")
    panels[0].legend(fontsize=8)
    figure.suptitle(
        "Time of a training step as the work grows: flat where overhead rules, along the floor where arithmetic does"
    )
    return figure


def list_costs(costs: Mapping[str, np.ndarray]) -> Plot:
    """Draw what lists of names cost against their length.

    `costs` has arrays "names", seconds in "read", "split" and "encode", memory in "peak" (MB), and
    the time of a training step in "step" (µs).
    """
    figure = Plot(figsize=(12, 3.8), layout="constrained")
    panels = figure.subplots(1, 3)
    names = costs["names"]
    for i, part in enumerate(("read", "split", "encode")):
        panels[0].loglog(names, costs[part], marker="o", markersize=4, label=part, **line(i))
    panels[0].loglog(
        names,
        costs["read"][-1] * names / names[-1],
        color="#999999",
        linewidth=1,
        linestyle=":",
        label="in proportion",
    )
    panels[0].legend(fontsize=8)
    panels[0].set_ylabel("seconds")
    panels[1].loglog(names, costs["peak"], marker="o", markersize=4, **line(0))
    panels[1].yaxis.set_major_formatter("{x:g}")
    panels[1].yaxis.set_minor_formatter("{x:g}")
    panels[1].set_ylabel("most memory, MB")
    panels[2].semilogx(names, costs["step"], marker="o", markersize=4, **line(0))
    panels[2].set_ylim(0, 1.3 * costs["step"].max())
    panels[2].set_ylabel("µs a training step")
    for axes in panels:
        axes.set_xlabel("names in the list")
        axes.grid(alpha=0.3)
    figure.suptitle(
        "Lists of more and more names: seconds, memory, and the time of a training step"
    )
    return figure


def process_costs(
    points: Mapping[str, Mapping[int, np.ndarray]], break_even: Mapping[str, float]
) -> Plot:
    """Draw the time of a training step in one process and in two, against the batch size.

    Each array has rows of (batch size, measured, modelled) [sizes, 3], in microseconds. A dashed
    line marks the batch size from which two processes are faster.
    """
    figure = Plot(figsize=(5 * len(points), 4), layout="constrained")
    panels = figure.subplots(1, len(points), squeeze=False).ravel()
    for axes, (name, by_count) in zip(panels, points.items(), strict=True):
        for i, (count, rows) in enumerate(by_count.items()):
            sizes, measured, modelled = rows.T
            style = line(i)
            axes.loglog(sizes, modelled, **style)
            label = f"{count} process" + "es" * (count > 1)
            axes.loglog(sizes, measured, "o", color=style["color"], markersize=5, label=label)
        end = break_even[name]
        axes.axvline(end, color=COLOURS[6], linewidth=1, linestyle="--")
        axes.set_title(
            literal(f"{name}: two are faster from {end:,.0f} examples, by the model"), size=10
        )
        axes.set_xlabel("examples in a batch")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("µs a training step")
    panels[0].legend(fontsize=9)
    figure.suptitle(
        "A second process halves the examples and adds messages: dots measured, lines the model"
    )
    return figure


def step_times(times: Mapping[str, np.ndarray]) -> Plot:
    """Draw the time of a training step for each way of training.

    Times are in microseconds: a bar for the median, a dot for every round.
    """
    figure, axes = new_figure(0.8 + 0.38 * len(times), 8)
    for i, (name, taken) in enumerate(times.items()):
        middle = float(np.median(taken))
        colour = COLOURS[2] if name.startswith("mmjax") else COLOURS[5]
        axes.barh(i, middle, color=colour, height=0.7)
        axes.plot(taken, np.full(len(taken), i), ".", color=COLOURS[6], markersize=3)
        axes.annotate(f"  {middle:,.0f}", (float(np.max(taken)), i), va="center", size=9)
    axes.set_yticks(range(len(times)), [literal(name) for name in times], size=9)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("µs a step: bar the median, dots the rounds")
    axes.set_title(
        "Time of one training step of the lecture's network, batches of 32: less is better"
    )
    return figure
