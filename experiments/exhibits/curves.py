"""Exhibits over the steps of a run."""

import numpy as np
from matplotlib.axes import Axes

from experiments.exhibits.exhibit import Exhibit, Sample, band, curves, short
from mmjax.diagnostics.checks.layers import DEAD_SHARES
from mmjax.diagnostics.checks.training import UPDATE_RATIOS
from mmjax.diagnostics.cockpit import FARTHEST, SHORTEST


def _ratios(run: Sample) -> dict[str, np.ndarray]:
    names = [name for name in run.run.records[0] if name.startswith("update_ratio/")]
    labels = short([name.removeprefix("update_ratio/") for name in names])
    return {label: run.column(name) for label, name in zip(labels, names, strict=True)}


def _draw_ratios(axes: Axes, run: Sample) -> None:
    band(axes, *UPDATE_RATIOS)
    curves(axes, run.column("step"), _ratios(run))
    axes.set_ylabel("log10(update / weights)")


def _draw_dead(axes: Axes, run: Sample) -> None:
    band(axes, 0, 100 * DEAD_SHARES[0])
    curves(axes, run.column("step"), {"": run.column("instrument/dead")})
    axes.set_ylabel("% dead, worst layer")


def _draw_sharpness(axes: Axes, run: Sample) -> None:
    band(axes, 0.05, 1)
    axes.set_yscale("log")
    curves(axes, run.column("step"), {"": _edge(run)})
    axes.set_ylim(bottom=0.05)
    axes.set_ylabel("sharpness x rate / 2")


def _edge(run: Sample) -> np.ndarray:
    return run.column("instrument/sharpness") * run.column("lr") / 2


def _draw_reach(axes: Axes, run: Sample) -> None:
    band(axes, SHORTEST, FARTHEST)
    curves(axes, run.column("step"), {"": run.column("instrument/step_reach")})
    axes.set_ylabel("reach of a step")


def _last(values: np.ndarray) -> float:
    """Return the middle of the last half of the values."""
    return float(np.nanmedian(values[len(values) // 2 :]))


CURVES = (
    Exhibit(
        "update-ratios",
        "Size of each update relative to its weights",
        "learning rate / 300",
        lambda run: _last(np.median([*_ratios(run).values()], axis=0)),
        _draw_ratios,
    ),
    Exhibit(
        "dead-units",
        "Units that learn almost nothing, over the steps",
        "60 dead units of 100",
        lambda run: _last(run.column("instrument/dead")),
        _draw_dead,
    ),
    Exhibit(
        "sharpness",
        "Curvature of the loss; 1 is the edge of stability",
        "the same batch in every step",
        lambda run: _last(_edge(run)),
        _draw_sharpness,
    ),
    Exhibit(
        "step-reach",
        "How far across its valley a step goes",
        "the same batch in every step",
        lambda run: _last(run.column("instrument/step_reach")),
        _draw_reach,
    ),
)
