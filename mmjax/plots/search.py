"""Figures of a search: the effect of an option, and what a low loss costs."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from mmjax.plots.style import COLOURS, Plot, entitle, explain, literal, new_figure


def option_effect(
    name: str,
    places: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    *,
    labels: tuple[str, str],
    choices: Sequence[str] = (),
    log: bool = False,
) -> Plot:
    """Draw the validation loss of every trial over the value of an option.

    `first` and `last` are losses [trials] at the first and the last step, and `labels` what they
    are; NaN is left out. `places` are the values [trials] or, with `choices`, the numbers of the
    choices.
    """
    figure, axes = new_figure(3.4)
    shown = [(first, labels[0], {"color": COLOURS[5], "alpha": 0.6, "s": 18})]
    shown += [(last, labels[1], {"color": COLOURS[0], "s": 30})]
    if np.array_equal(first, last, equal_nan=True):
        shown = shown[1:]
    for losses, label, look in shown:
        axes.scatter(places, losses, label=label, **look)
    if np.isfinite(last).any():
        best = int(np.nanargmin(last))
        look = {"color": COLOURS[3], "marker": "*", "s": 160, "zorder": 3}
        axes.scatter(places[best], last[best], label="best", **look)
    if choices:
        axes.set_xticks(range(len(choices)), [literal(each) for each in choices])
        axes.set_xlim(-0.5, len(choices) - 0.5)
    elif log:
        _log_axis(axes)
    _limit_losses(axes, np.concatenate([losses for losses, *_ in shown]))
    axes.set_xlabel(literal(name))
    axes.set_ylabel("validation loss (nats)")
    entitle(figure, f"Validation loss by {literal(name)}: each point is a trial")
    explain(figure)
    return figure


def pareto_front(
    costs: np.ndarray, losses: np.ndarray, front: Sequence[int], *, cost: str, names: Sequence[str]
) -> Plot:
    """Draw the validation loss of every trial over its cost, and the trials that no other beats.

    `front` are the numbers of those trials, by rising cost; `names` say which trial a point is.
    """
    figure, axes = new_figure(3.8)
    axes.scatter(costs, losses, color=COLOURS[5], alpha=0.6, s=18, label="trial")
    axes.step(
        costs[[*front]],
        losses[[*front]],
        where="post",
        color=COLOURS[3],
        marker="o",
        markersize=5,
        label="no trial has a lower loss at a lower cost",
    )
    for i in front:
        axes.annotate(names[i], (costs[i], losses[i]), (4, 4), textcoords="offset points", size=10)
    if costs.max() > 3 * costs.min() > 0:
        _log_axis(axes)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(3))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    _limit_losses(axes, losses)
    axes.set_xlabel(cost)
    axes.set_ylabel("validation loss (nats)")
    entitle(figure, f"Validation loss against {cost}; numbers are trials")
    explain(figure)
    return figure


def _log_axis(axes: Axes) -> None:
    """Make the horizontal axis logarithmic, with plain numbers that do not overlap."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _limit_losses(axes: Axes, losses: np.ndarray) -> None:
    """Show the better part of the losses: a few trials that diverged would hide the others."""
    found = losses[np.isfinite(losses)]
    if not len(found):
        return
    lowest, most = found.min(), min(found.max(), 2 * np.median(found) - found.min())
    margin = 0.05 * (most - lowest) or 0.01
    axes.set_ylim(lowest - margin, most + 2 * margin)
