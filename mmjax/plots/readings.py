"""Figures of the instruments that are read during training."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from mmjax.plots.style import COLOURS, WIDTH, Plot, entitle
from mmjax.plots.training import few_numbers


class Panel(NamedTuple):
    """One instrument over the steps."""

    title: str
    values: np.ndarray
    low: np.ndarray | float
    """Where the healthy band begins, at all steps or at each; NaN if there is no band."""
    high: np.ndarray | float
    """Where it ends."""
    shown: tuple[float, float] = (np.inf, -np.inf)
    """What the axis shows at least."""
    log: bool = False


def readings(steps: np.ndarray, panels: Sequence[Panel]) -> Plot:
    """Draw instruments over the steps, each in a panel of its own with its healthy band."""
    figure = Plot(figsize=(WIDTH, 0.9 + 1.35 * len(panels)), layout="constrained")
    rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, panel in zip(rows, panels, strict=True):
        _draw(axes, steps, panel)
    few_numbers(rows[-1])
    entitle(figure, "The instruments over the steps: green is healthy")
    return figure


def _draw(axes: Axes, steps: np.ndarray, panel: Panel) -> None:
    axes.set_title(panel.title, size=10, loc="left")
    axes.plot(steps, panel.values, color=COLOURS[0], marker=".", markersize=3, linewidth=1)
    if panel.log:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=5))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    else:
        axes.yaxis.set_major_locator(MaxNLocator(4))
    bottom, top = axes.get_ylim()
    bottom, top = min(bottom, panel.shown[0]), max(top, panel.shown[1])
    low, high = np.maximum(panel.low, bottom), np.minimum(panel.high, top)
    axes.fill_between(steps, low, high, color=COLOURS[2], alpha=0.2, linewidth=0)
    axes.set_ylim(bottom, top)
