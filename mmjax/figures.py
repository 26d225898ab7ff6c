"""Figures: arrays in, a matplotlib Figure out; nothing is shown or saved.

Colours are Okabe and Ito's, and cividis: both can be told apart with any colour vision.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from mmjax.diagnostics import MAX_SATURATION, SATURATED

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000", "#999933")
# Text on a colour of its own. Pure black and white belong to the page, which may turn them round.
ON_DARK, ON_LIGHT = "#fefefe", "#111111"
MOST_LABELS = 40  # rows of a table that can still be read


def most_frequent(counts: np.ndarray, most: int = MOST_LABELS) -> np.ndarray:
    """The tokens that end the most pairs in a table of bigram counts [vocab, vocab], in their order."""
    return np.sort(np.argsort(-counts.sum(axis=0), kind="stable")[:most])


def bigram_table(counts: np.ndarray, labels: Sequence[str]) -> Figure:
    """The lecture's heat map: in each cell the pair and how often it occurs. counts [vocab, vocab]."""
    size = len(labels)
    # No layout engine, which would draw everything twice to find room for a title.
    figure = Figure(figsize=(0.5 * size, 0.5 * size + 0.5))
    axes = figure.add_axes((0, 0, 1, size / (size + 1)))
    axes.imshow(np.log1p(counts), cmap="cividis")
    dark = np.log1p(counts) < 0.5 * np.log1p(counts.max())
    for a, first in enumerate(labels):
        for b, second in enumerate(labels):
            colour = ON_DARK if dark[a, b] else ON_LIGHT
            text = f"{_literal(first + second)}\n{counts[a, b]:.0f}"
            axes.text(b, a, text, ha="center", va="center", size=7.5, color=colour)
    axes.axis("off")
    axes.set_title(
        "How often each character (row) is followed by each (column); colour is logarithmic"
    )
    return figure


def probability_tables(tables: Mapping[str, np.ndarray], labels: Sequence[str]) -> Figure:
    """Tables of P(next | previous) [vocab, vocab] beside each other, on one scale: they should look alike."""
    figure = Figure(figsize=(6.5 * len(tables) + 1, 6.5), layout="constrained")
    panels = figure.subplots(1, len(tables), squeeze=False)[0]
    image = None
    names = [_literal(label) for label in labels]
    for axes, (title, table) in zip(panels, tables.items(), strict=True):
        image = axes.imshow(np.sqrt(table), cmap="cividis", vmin=0, vmax=1)
        axes.set_xticks(range(len(names)), names, size=8)
        axes.set_yticks(range(len(names)), names, size=8)
        axes.set_title(title)
        axes.set_xlabel("next")
        axes.set_ylabel("previous")
    if image is not None:
        bar = figure.colorbar(image, ax=panels, shrink=0.8, label="probability")
        bar.set_ticks(
            np.sqrt([0, 0.01, 0.05, 0.1, 0.25, 0.5, 1]).tolist(),
            labels=["0", ".01", ".05", ".1", ".25", ".5", "1"],
        )
    figure.suptitle("Trained and counted tables: every cell should have the same colour in both")
    return figure


def histograms(values: Mapping[str, np.ndarray], *, title: str, xlabel: str) -> Figure:
    """The distribution of each array as a line, with its mean and standard deviation in the legend."""
    figure, axes = _figure(8, 4)
    everything = np.concatenate([np.ravel(array) for array in values.values()])
    low, high = np.quantile(everything, [0.001, 0.999]).tolist()
    edges = np.linspace(low, high if high > low else low + 1, 81)
    for i, (name, array) in enumerate(values.items()):
        density, _ = np.histogram(array, edges, density=True)
        label = f"{name}: mean {np.mean(array):+.1g}, std {np.std(array):.2g}"
        axes.plot((edges[1:] + edges[:-1]) / 2, density, label=label, **_line(i))
    axes.set_title(title)
    axes.set_xlabel(xlabel)
    axes.set_ylabel("density")
    axes.legend(fontsize=8)
    return figure


def saturation(outputs: Mapping[str, np.ndarray]) -> Figure:
    """Where each tanh layer [examples, units] is saturated, white: whole white columns are dead units."""
    figure = Figure(figsize=(8, 1.1 + 1.5 * len(outputs)), layout="constrained")
    panels = figure.subplots(len(outputs), 1, squeeze=False)[:, 0]
    for axes, (name, array) in zip(panels, outputs.items(), strict=True):
        saturated = abs(array) > SATURATED
        axes.imshow(saturated, cmap="gray", vmin=0, vmax=1, aspect="auto", interpolation="none")
        axes.set_title(f"{name}: {saturated.mean():.1%} saturated", size=9)
        axes.set_ylabel("example")
        axes.tick_params(labelsize=7)
    panels[-1].set_xlabel("unit")
    figure.suptitle(
        f"Outputs beyond ±{SATURATED}, white: little of it is good, a white column is a dead unit"
    )
    return figure


def update_ratios(steps: np.ndarray, ratios: Mapping[str, np.ndarray]) -> Figure:
    """log10 update:data of each weight matrix over the steps, with the line at -3 to be near to."""
    figure, axes = _figure(8, 4)
    for i, (name, ratio) in enumerate(ratios.items()):
        axes.plot(steps, ratio, label=name, **_line(i))
    axes.axhline(-3, color="black", linewidth=1)
    axes.annotate(
        "-3: about right", (1, -3), xycoords=("axes fraction", "data"), ha="right", va="bottom"
    )
    axes.set_title(
        "How far each step moves the weights: about a thousandth is right, all alike is best"
    )
    axes.set_xlabel("step")
    axes.set_ylabel("log10(update / weights)")
    axes.legend(fontsize=8, ncols=2)
    return figure


def loss_curve(
    steps: np.ndarray,
    losses: np.ndarray,
    *,
    single: tuple[np.ndarray, np.ndarray] | None = None,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    drop_step: int | None = None,
    yardsticks: Mapping[str, float] | None = None,
) -> Figure:
    """Mean training losses, faint as they are and bold over 50 bins; yardsticks as lines.

    `single` is (lowest, highest) of the single steps' losses behind each mean, drawn as a band;
    `validation` is (steps, losses).
    """
    figure, axes = _figure(8, 4.5)
    if single is not None:
        style = {"color": COLOURS[0], "alpha": 0.15, "linewidth": 0}
        axes.fill_between(steps, *single, **style, label="single batches, lowest to highest")
    axes.plot(steps, losses, color=COLOURS[0], alpha=0.35, linewidth=0.8)
    bins = max(1, min(50, len(steps)))
    binned = [part.mean() for part in np.array_split(losses, bins)]
    middles = [part.mean() for part in np.array_split(steps, bins)]
    axes.plot(middles, binned, color=COLOURS[0], label="training, mean")
    if validation is not None:
        axes.plot(*validation, color=COLOURS[3], marker="o", markersize=3, label="validation")
    if drop_step is not None and steps[0] < drop_step < steps[-1]:
        axes.axvline(
            drop_step, color="black", linewidth=1, linestyle=":", label="learning rate drops"
        )
    for i, (name, loss) in enumerate((yardsticks or {}).items()):
        style = {"linewidth": 1, "linestyle": ("--", "-.")[i % 2]}
        axes.axhline(loss, color="#777777", label=f"{name} {loss:.3f}", **style)
    axes.set_title(
        "Loss: falling smoothly, validation close to training, below what counting pairs can do"
    )
    axes.set_xlabel("step")
    axes.set_ylabel("nats a letter")
    axes.legend(fontsize=8)
    return figure


def losses_compared(runs: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """The losses of several runs over steps and over seconds.

    Each run has arrays "step", "seconds", "training" and "validation" [lines]; a validation loss of NaN
    is left out.
    """
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, unit in zip(panels, ("step", "seconds"), strict=True):
        for i, (name, run) in enumerate(runs.items()):
            style = _line(i)
            validated = np.isfinite(run["validation"])
            faint = 0.35 if validated.any() else 1.0
            label = None if validated.any() else _literal(name)
            axes.plot(run[unit], run["training"], label=label, alpha=faint, **style)
            if validated.any():
                points = run[unit][validated], run["validation"][validated]
                axes.plot(*points, marker="o", markersize=3, label=_literal(name), **style)
        axes.set_xlabel(unit)
    panels[0].set_ylabel("nats a letter")
    panels[0].legend(fontsize=8)
    figure.suptitle(
        "Loss of each run: validation dotted, training faint; lower and sooner is better"
    )
    return figure


def race(runs: Mapping[str, np.ndarray], goal: float) -> Figure:
    """Validation loss over seconds of training; each run has rows of (seconds, step, loss) [looks, 3]."""
    figure, axes = _figure(9, 5)
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
            label=_literal(f"{name}: {loss[-1]:.4f} after {seconds[-1]:,.3g} s"),
            **_line(i),
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("seconds of training, without compilation")
    axes.set_ylabel("validation loss, nats a letter")
    top = max(float(np.median(points[:, 2])) for points in runs.values())
    low = min(float(points[:, 2].min()) for points in runs.values())
    axes.set_ylim(low - 0.02, max(top, goal) + 0.15)
    axes.legend(fontsize=9)
    axes.set_title("How soon each is how good: lower and further left is better")
    return figure


def step_costs(costs: Mapping[str, np.ndarray]) -> Figure:
    """Microseconds of a training step against one of its sizes each; rows (size, step, floor) [3, sizes]."""
    figure = Figure(figsize=(10, 2.2 + 2.6 * (len(costs) // 2)), layout="constrained")
    panels = figure.subplots(-(-len(costs) // 2), 2, sharey=True, squeeze=False).ravel()
    for axes, (name, (sizes, step, floor)) in zip(panels, costs.items(), strict=False):
        axes.loglog(sizes, step, marker="o", markersize=4, label="training step", **_line(0))
        axes.loglog(sizes, floor, marker=".", label="its matrix products alone", **_line(6))
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


def list_costs(costs: Mapping[str, np.ndarray]) -> Figure:
    """Seconds ("read", "split", "encode"), memory ("peak", in MB) and a step's time ("step", in µs) against "names"."""
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    panels = figure.subplots(1, 3)
    names = costs["names"]
    for i, part in enumerate(("read", "split", "encode")):
        panels[0].loglog(names, costs[part], marker="o", markersize=4, label=part, **_line(i))
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
    panels[1].loglog(names, costs["peak"], marker="o", markersize=4, **_line(0))
    panels[1].yaxis.set_major_formatter("{x:g}")
    panels[1].yaxis.set_minor_formatter("{x:g}")
    panels[1].set_ylabel("most memory, MB")
    panels[2].semilogx(names, costs["step"], marker="o", markersize=4, **_line(0))
    panels[2].set_ylim(0, 1.3 * costs["step"].max())
    panels[2].set_ylabel("µs a training step")
    for axes in panels:
        axes.set_xlabel("names in the list")
        axes.grid(alpha=0.3)
    figure.suptitle(
        "Lists of more and more names: seconds, memory, and the time of a training step"
    )
    return figure


def step_times(times: Mapping[str, np.ndarray]) -> Figure:
    """Microseconds of a training step, by way of training: the median as a bar, every round as a dot."""
    figure, axes = _figure(8, 0.8 + 0.38 * len(times))
    for i, (name, taken) in enumerate(times.items()):
        middle = float(np.median(taken))
        colour = COLOURS[2] if name.startswith("mmjax") else COLOURS[5]
        axes.barh(i, middle, color=colour, height=0.7)
        axes.plot(taken, np.full(len(taken), i), ".", color=COLOURS[6], markersize=3)
        axes.annotate(f"  {middle:,.0f}", (float(np.max(taken)), i), va="center", size=9)
    axes.set_yticks(range(len(times)), [_literal(name) for name in times], size=9)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("µs a step: bar the median, dots the rounds")
    axes.set_title(
        "Time of one training step of the lecture's network, batches of 32: less is better"
    )
    return figure


def embedding(
    vectors: np.ndarray, labels: Sequence[str], named: Sequence[int] | np.ndarray | None = None
) -> Figure:
    """The characters' vectors [vocab, dim] on their first two principal components.

    Those `named` get their label, by default all; the others are dots.
    """
    figure, axes = _figure(6.5, 6)
    centred = vectors - vectors.mean(axis=0)
    _, scale, directions = np.linalg.svd(centred, full_matrices=False)
    points = centred @ directions[:2].T
    if points.shape[1] == 1:
        points = np.hstack([points, np.zeros_like(points)])
    share = (scale[:2] ** 2).sum() / max((scale**2).sum(), 1e-30)
    shown = np.arange(len(labels)) if named is None else np.asarray(named)
    vowels = np.isin(np.asarray(labels)[shown], list("aeiouyAEIOUY"))
    axes.plot(*points.T, ".", color="#999999", markersize=3, rasterized=True, zorder=0)
    axes.scatter(*points[shown][~vowels].T, s=260, color="#BBCCEE", zorder=1)
    axes.scatter(*points[shown][vowels].T, s=260, color="#F5D48A", zorder=1)
    for i in shown.tolist():
        x, y = points[i]
        axes.text(x, y, _literal(labels[i]), ha="center", va="center", color=ON_LIGHT, zorder=2)
    axes.set_title("Characters as the network sees them: near means used alike")
    axes.set_xlabel(
        f"first principal component (both: {share:.0%} of the variance; vowels in yellow)"
    )
    axes.set_ylabel("second principal component")
    return figure


def predicted_against_counted(
    counted: np.ndarray, predicted: np.ndarray, labels: Sequence[str]
) -> Figure:
    """Each pair's probability by the model over that by counting, both [vocab, vocab].

    Named are the eight farthest off, by factor, among those counted at more than one in a hundred.
    """
    figure, axes = _figure(6.5, 6)
    floor = 1e-5
    x, y = np.maximum(counted, floor).ravel(), np.maximum(predicted, floor).ravel()
    axes.loglog(x, y, ".", color=COLOURS[0], alpha=0.5, markersize=5)
    axes.plot([floor, 1], [floor, 1], color="black", linewidth=1)
    off = np.where(x > 0.01, abs(np.log(y / x)), 0)
    farthest = np.argsort(-off)[:8]
    for i, cell in enumerate(farthest[np.argsort(y[farthest])]):
        pair = str(labels[cell // len(labels)]) + str(labels[cell % len(labels)])
        # To the right and to the left in turns, so that neighbours stay apart.
        side, ha = ((6, -3), "left") if i % 2 else ((-6, -3), "right")
        place = {"xytext": side, "textcoords": "offset points", "ha": ha}
        axes.annotate(_literal(pair), (x[cell], y[cell]), size=9, **place)
    # Powers of ten as formulas, and marks between them, take three times as long to draw as all the rest.
    axes.minorticks_off()
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.set_title("Letter pairs, model against counting: on the line is right")
    axes.set_xlabel(f"counted probability (never seen: at {floor:g})")
    axes.set_ylabel("mean predicted probability")
    return figure


def saturation_over_time(steps: np.ndarray, parts: Mapping[str, np.ndarray]) -> Figure:
    """Percent saturated of each tanh layer over the steps."""
    figure, axes = _figure(8, 3.5)
    for i, (name, percent) in enumerate(parts.items()):
        axes.plot(steps, percent, label=name, **_line(i))
    axes.axhline(MAX_SATURATION, color="black", linewidth=1)
    axes.yaxis.set_major_formatter(PercentFormatter())
    axes.set_title(
        f"Saturated outputs of each tanh layer: below the line at {MAX_SATURATION:g} % is healthy"
    )
    axes.set_xlabel("step")
    axes.set_ylabel("saturated")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8)
    return figure


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _line(i: int) -> dict[str, Any]:
    return {"color": COLOURS[i % len(COLOURS)], "linestyle": ("-", "--")[i // len(COLOURS) % 2]}


def _literal(text: str) -> str:
    """Text that matplotlib shows as it is: no mathematics, nothing unprintable."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text).replace(
        "$", r"\$"
    )
