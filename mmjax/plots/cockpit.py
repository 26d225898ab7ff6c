"""Figure of the cockpit: every gauge with its healthy band."""

import math
from collections.abc import Mapping, Sequence

from mmjax.diagnostics.cockpit import Gauge
from mmjax.plots.style import COLOURS, Plot, entitle, explain, literal, new_figure

REACH = 1.0  # widths of the band that are drawn on each side of it
MARKERS = ("o", "D", "s", "^")


def cockpit(runs: Mapping[str, Sequence[Gauge]]) -> Plot:
    """Draw the gauges of one run, or of several, by the label of the run.

    Each gauge is a line, scaled so that the healthy bands are one column. A marker outside the
    picture's range is drawn at its edge. The gauge that is farthest from the middle of its band, in
    any run, comes first; figures that are not finite have no marker and come first, too.
    """
    far: dict[str, float] = {}
    for gauge in [gauge for gauges in runs.values() for gauge in gauges]:
        here = abs(_position(gauge) - 0.5) if math.isfinite(gauge.value) else math.inf
        far[gauge.name] = max(far.get(gauge.name, 0.0), here)
    names = sorted(far, key=lambda name: -far[name])
    place = {name: i for i, name in enumerate(names)}
    figure, axes = new_figure(1.1 + 0.42 * len(names) + 0.2 * (len(runs) > 1))
    axes.axvspan(0, 1, color=COLOURS[2], alpha=0.2, linewidth=0)
    for i, (label, gauges) in enumerate(runs.items()):
        known = [gauge for gauge in gauges if math.isfinite(gauge.value)]
        at = [min(max(_position(gauge), -REACH), 1 + REACH) for gauge in known]
        axes.scatter(
            at,
            [place[gauge.name] for gauge in known],
            color=COLOURS[(i and i + 2) % len(COLOURS)],
            marker=MARKERS[i % len(MARKERS)],
            s=36,
            zorder=3,
            label=literal(label),
        )
    for name, i in place.items():
        axes.text(-REACH, i - 0.34, name, ha="left", va="center", fontsize=10)
    if len(runs) == 1:
        for gauge in next(iter(runs.values())):
            text, at = f"{round(gauge.value, 3):.3g}", place[gauge.name] - 0.34
            axes.text(1 + REACH, at, text, ha="right", va="center", fontsize=10)
    for i in range(len(names)):
        axes.axhline(i, color="#999999", linewidth=0.6, zorder=1)
    axes.set_xlim(-REACH - 0.05, 1 + REACH + 0.05)
    axes.set_ylim(len(names) - 0.4, -0.7)
    axes.set_yticks([])
    axes.set_xticks([0.5], ["healthy"])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    entitle(figure, "The instruments, the farthest from healthy first")
    if len(runs) > 1:
        explain(figure, columns=2)
    return figure


def _position(gauge: Gauge) -> float:
    """Return where the figure lies: 0 and 1 are the ends of its band."""
    return (gauge.value - gauge.low) / (gauge.high - gauge.low)
