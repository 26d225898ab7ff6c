"""Figures of a training run over its steps."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from mmjax.plots.style import COLOURS, WIDTH, Plot, entitle, explain, line, literal, new_figure

KINDS = ("training", "validation")


def update_ratios(steps: np.ndarray, ratios: Mapping[str, np.ndarray]) -> Plot:
    """Draw log10(update / weights) of each weight matrix over the steps.

    A line marks -3, which is about right.
    """
    figure, axes = new_figure(3.6)
    for i, (name, ratio) in enumerate(ratios.items()):
        axes.plot(steps, ratio, label=name, **line(i))
    axes.axhline(-3, color="black", linewidth=1, label="about right")
    entitle(
        figure, "Size of each update relative to its weights: near -3, and alike for all, is right"
    )
    few_numbers(axes)
    axes.set_ylabel("log10(update / weights)")
    explain(figure, columns=2)
    return figure


def loss_curve(
    steps: np.ndarray,
    losses: np.ndarray,
    *,
    single: tuple[np.ndarray, np.ndarray] | None = None,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    drop_step: int | None = None,
    yardsticks: Mapping[str, float] | None = None,
) -> Plot:
    """Draw the training loss over the steps.

    `losses` are means over steps: drawn faint, and bold after averaging them in at most 50 bins.
    `single` is (lowest, highest) loss of a step within each mean, drawn as a band. `validation` is
    (steps, losses). Each of `yardsticks` is a horizontal line. Losses far above most of them, as at
    the start, are cut off, and the axis says so.
    """
    figure, axes = new_figure(4.2)
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
    lines = {}
    for i, (name, loss) in enumerate((yardsticks or {}).items()):
        style = {"linewidth": 1, "linestyle": ("--", "-.", ":")[i % 3]}
        lines[loss] = axes.axhline(loss, color="#777777", label=f"{name} {loss:.3f}", **style)
    entitle(figure, "Loss over the steps, in nats per character")
    few_numbers(axes)
    axes.set_ylabel("nats per character")
    everything = [losses, *(validation or ())[1:], [*(yardsticks or {}).values()]]
    _cut(axes, [np.asarray(each, np.float64) for each in everything], single)
    for loss, drawn in lines.items():
        if loss > axes.get_ylim()[1]:
            drawn.set_label(f"{drawn.get_label()}, above the picture")
    explain(figure)
    return figure


def _cut(
    axes: Axes, lines: Sequence[np.ndarray], single: tuple[np.ndarray, np.ndarray] | None
) -> None:
    """Limit the axis to where the `lines` are, and say how far the rest reaches.

    The first of the lines are the mean losses, the last the yardsticks.
    """
    losses, *validation, yardsticks = (each[np.isfinite(each)] for each in lines)
    if not len(losses):
        return
    low = min(each.min() for each in (losses, *validation, yardsticks) if len(each))
    later = [each[1:] for each in validation if len(each) > 1]  # the first may be of the start
    high = max(float(np.quantile(losses, 0.95)), *(float(each.max()) for each in later), low)
    near = yardsticks[yardsticks < high + (high - low)]
    room = 0.15 * max(high - low, 0.1)
    top = max(high, *near.tolist()) + room if len(near) else high + room
    band = np.concatenate([losses, *validation, *(() if single is None else single)])
    highest = float(np.max(band[np.isfinite(band)]))
    axes.set_ylim(low - room, min(top, highest + room))
    if highest > top:
        axes.annotate(
            f"\N{UPWARDS ARROW} cut off here; losses reach {highest:.2f}",
            (0.98, 0.98),
            xycoords="axes fraction",
            ha="right",
            va="top",
        )


def few_numbers(axes: Axes, unit: str = "step") -> None:
    """Label the horizontal axis, with few enough numbers that they do not overlap."""
    axes.set_xlabel(unit)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def losses_compared(runs: Mapping[str, Mapping[str, np.ndarray]]) -> Plot:
    """Draw the losses of several runs over steps and over seconds.

    Each run has arrays "step", "seconds", "training" and "validation" [lines]. A validation loss of
    NaN is left out.
    """
    figure = Plot(figsize=(WIDTH, 6.6), layout="constrained")
    panels = figure.subplots(2, 1, sharey=True)
    for axes, unit in zip(panels, ("step", "seconds"), strict=True):
        for i, (name, run) in enumerate(runs.items()):
            style = line(i)
            validated = np.isfinite(run["validation"])
            faint = 0.35 if validated.any() else 1.0
            label = None if validated.any() else literal(name)
            axes.plot(run[unit], run["training"], label=label, alpha=faint, **style)
            if validated.any():
                points = run[unit][validated], run["validation"][validated]
                axes.plot(*points, marker="o", markersize=3, label=literal(name), **style)
        few_numbers(axes, unit)
        axes.set_ylabel("nats per character")
    together = [np.concatenate([run[kind] for run in runs.values()]) for kind in KINDS]
    _cut(panels[0], [*together, np.array([])], None)
    entitle(
        figure, "Loss of each run: validation dotted, training faint; lower and sooner is better"
    )
    explain(figure)
    return figure


def rate_test(rates: np.ndarray, losses: np.ndarray, *, proposed: float) -> Plot:
    """Draw the loss of a test of learning rates over the rate, with the proposed rate."""
    figure, axes = new_figure(4, 8)
    axes.plot(rates, losses, **line(0))
    axes.axvline(proposed, **line(3))
    axes.annotate(
        f" proposed: {proposed:.2g}", (proposed, 0.97), xycoords=("data", "axes fraction"), va="top"
    )
    axes.set_xscale("log")
    start, lowest = np.nanmedian(losses[: len(losses) // 10]), np.nanmin(losses)
    margin = 0.1 * (start - lowest)
    axes.set_ylim(lowest - margin, start + 2 * margin)
    axes.set_xlabel("learning rate, which grows from step to step")
    axes.set_ylabel("smoothed loss of the batches, nats per character")
    axes.set_title("Test of learning rates: a good rate is well to the left of the lowest loss")
    return figure


def saturation_over_time(
    steps: np.ndarray, parts: Mapping[str, np.ndarray], *, limit: float
) -> Plot:
    """Draw the saturated percentage of each activation layer over the steps.

    `limit` is the highest healthy percentage.
    """
    figure, axes = new_figure(3.6)
    for i, (name, percent) in enumerate(parts.items()):
        axes.plot(steps, percent, label=name, **line(i))
    axes.axhline(limit, color="black", linewidth=1)
    axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
    title = f"Saturated outputs of each layer: below the line at {limit:g} % is healthy"
    entitle(figure, title)
    few_numbers(axes)
    axes.set_ylabel("saturated")
    axes.set_ylim(bottom=0)
    explain(figure, columns=2)
    return figure
