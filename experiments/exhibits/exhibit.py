"""One exhibit: an instrument, a fault that it shows, and the picture of both."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from experiments.faultbench.bench import CASES
from experiments.faultbench.case import Case
from experiments.faultbench.training import Run, counted, examined, plan, trained
from mmjax import train
from mmjax.diagnostics.evidence import Evidence
from mmjax.model import Predictor
from mmjax.plots.style import COLOURS, WIDTH, Plot, entitle, line

CHUNK = 50  # steps between two points of a curve
HEALTHY = Case("the lecture's network", "")


@dataclass(frozen=True)
class Sample:
    """A run after its 1,000 steps."""

    run: Run

    @cached_property
    def evidence(self) -> Evidence:
        """What is measured at its end."""
        return examined(self.run, counted(self.run.plan))

    @property
    def predictor(self) -> Predictor:
        """The trained network."""
        return train.predictor(self.run.plan.used, self.run.state)

    def column(self, name: str) -> np.ndarray:
        """Return a figure of every chunk; NaN where there is none."""
        return np.array([record.get(name, np.nan) for record in self.run.records], float)


@dataclass(frozen=True)
class Exhibit:
    """An instrument of the gallery."""

    name: str
    """Name of its page and its picture."""
    title: str
    fault: str
    """Name of a setting of the bench."""
    measure: Callable[[Sample], float]
    """What is printed."""
    draw: Callable[[Axes, Sample], None]


def sample(name: str, names: str) -> Sample:
    """Train one run of a setting of the bench, or of the healthy one if `name` is empty.

    `names` is the path of the list.
    """
    ready = plan(CASES[name] if name else HEALTHY, names)
    (run,) = trained(ready, [0], chunk=CHUNK, instruments=True)
    return Sample(run)


def picture(exhibit: Exhibit, healthy: Sample, sick: Sample) -> Plot:
    """Draw a healthy and a sick run, one below the other, on the same axes."""
    other = "sick" if CASES[exhibit.fault].symptoms else "for comparison"
    figure = Plot(figsize=(WIDTH, 5.2), layout="constrained")
    panels = figure.subplots(2, 1, sharex=True, sharey=True)
    for axes, run, title in zip(
        panels, (healthy, sick), ("healthy", f"{other}: {exhibit.fault}"), strict=True
    ):
        exhibit.draw(axes, run)
        axes.set_title(title, size=10, loc="left")
    panels[-1].set_xlabel(panels[-1].get_xlabel() or "step")
    entitle(figure, exhibit.title)
    handles, labels = panels[0].get_legend_handles_labels()
    if labels:
        where = {"loc": "outside lower center", "ncols": 2, "frameon": False}
        figure.legend(handles, labels, fontsize=10, **where)
    return figure


def bars(axes: Axes, values: Mapping[str, float]) -> None:
    """Draw a horizontal bar for each name."""
    axes.barh([*values], [*values.values()], color=COLOURS[0], height=0.6)
    axes.set_ylim(len(values) - 0.5, -0.5)  # the first one on top
    axes.xaxis.set_major_locator(MaxNLocator(4))


def curves(axes: Axes, x: np.ndarray, values: Mapping[str, np.ndarray]) -> None:
    """Draw a line for each name."""
    for i, (name, y) in enumerate(values.items()):
        axes.plot(x, y, label=name if len(values) > 1 else None, **line(i))
    axes.xaxis.set_major_locator(MaxNLocator(4))


def band(axes: Axes, low: float, high: float, *, upright: bool = False) -> None:
    """Draw the healthy band, across the picture or, for bars, upright."""
    span = axes.axvspan if upright else axes.axhspan
    span(low, high, color=COLOURS[2], alpha=0.2, linewidth=0, zorder=0)


def short(names: Sequence[str]) -> list[str]:
    """Return the names of layers or parameters without the parts that all readers know."""
    return [
        name.removesuffix(".weight").removesuffix(".linear").removesuffix(".norm") for name in names
    ]
