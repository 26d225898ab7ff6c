"""The cockpit: one gauge for each instrument, with the band in which it is healthy."""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from mmjax.diagnostics.checks import data, layers, state, training
from mmjax.diagnostics.evidence import Evidence
from mmjax.diagnostics.record import activation_of

SHORTEST, FARTHEST = -1.0, 1.0  # reach of a step: no length, and as steep on the other side


class Gauge(NamedTuple):
    """An instrument's figure and its healthy band."""

    name: str
    value: float
    low: float
    """Where the band begins. Where only a large figure is bad, it is a value that none has, so that
    the best one lies in the middle of the band."""
    high: float

    @property
    def outside(self) -> float:
        """How far the figure is outside the band, in widths of the band; below 0 inside.

        Infinite if the figure is not a number.
        """
        far = max(self.low - self.value, self.value - self.high) / (self.high - self.low)
        return math.inf if math.isnan(far) else far


def saved(gauges: Sequence[Gauge]) -> dict[str, list[float | None]]:
    """Return gauges as values for JSON: [value, low, high] by name, the value None if not finite."""
    return {
        gauge.name: [gauge.value if math.isfinite(gauge.value) else None, gauge.low, gauge.high]
        for gauge in gauges
    }


def loaded(values: Mapping[str, Sequence[float | None]]) -> list[Gauge]:
    """Return the gauges that `saved` wrote, the farthest outside first."""
    gauges = [
        Gauge(name, *(math.nan if value is None else float(value) for value in numbers))
        for name, numbers in values.items()
    ]
    return sorted(gauges, key=lambda gauge: -gauge.outside)


def cockpit(evidence: Evidence) -> list[Gauge]:
    """Return the gauges of all instruments that the evidence has, the farthest outside first."""
    return sorted(_gauges(evidence), key=lambda gauge: -gauge.outside)


def _gauges(evidence: Evidence) -> Iterator[Gauge]:
    yield from _of_training(evidence)
    yield from _of_steps(evidence)
    yield from _of_layers(evidence)
    if evidence.running:
        worst = max(gap.size for gap in evidence.running)
        yield Gauge("running statistics, gap in std", worst, -state.MAX_GAP, state.MAX_GAP)
    if evidence.probe:
        own, *others = evidence.probe.losses.values()
        limit = data.MIN_READING
        yield Gauge("loss minus that of another reading", own - min(others), -4.0, limit)
    if evidence.lists:
        log_p = max(evidence.lists.log_p, 4 * data.MIN_LOG_P)
        yield Gauge("log10 p of equal parts", log_p, data.MIN_LOG_P, -data.MIN_LOG_P)
        extra = 100 * (evidence.lists.shared - evidence.lists.shared_expected)
        yield Gauge("% of validation names leaked", extra, -10.0, 10.0)


def _of_training(evidence: Evidence) -> Iterator[Gauge]:
    if evidence.model is not None and evidence.initial_loss is not None:
        above = evidence.initial_loss - math.log(evidence.model.vocab_size)
        yield Gauge("first loss above guessing", above, -training.MAX_START, training.MAX_START)
    if evidence.update_ratios:
        middle = statistics.median(evidence.update_ratios.values())
        low, high = training.UPDATE_RATIOS[0], training.MAX_MEDIAN
        yield Gauge("log10 update : weights", middle, low, high)
    if evidence.final_loss is not None and evidence.loss_train is not None:
        extra, limit = evidence.final_loss - evidence.loss_train, training.MAX_EXTRA
        yield Gauge("last batches minus training part", extra, -limit, limit)
    if evidence.loss_val is not None and evidence.loss_train is not None:
        gap, limit = evidence.loss_val - evidence.loss_train, training.MAX_GAP
        yield Gauge("validation minus training", gap, -limit, limit)


def _of_steps(evidence: Evidence) -> Iterator[Gauge]:
    if not evidence.readings:
        return
    if evidence.recipe is not None and evidence.recipe.optimizer == "sgd":
        edge = [each["sharpness"] * each["lr"] / 2 for each in evidence.readings]
        yield Gauge("sharpness : 2 / learning rate", statistics.median(edge), -1.0, 1.0)
    if reaches := [each["step_reach"] for each in evidence.readings if "step_reach" in each]:
        low = 2 * SHORTEST - FARTHEST
        yield Gauge("reach of a step", statistics.median(reaches), low, FARTHEST)


def _of_layers(evidence: Evidence) -> Iterator[Gauge]:
    rows = evidence.gradients
    if len(rows) > 1 and rows[0].std > 0 and rows[-1].std > 0:
        limit = math.log10(layers.MAX_GRADIENT_SPREAD)
        ratio = math.log10(rows[0].std / rows[-1].std)
        yield Gauge("log10 first : last gradient", ratio, -limit, limit)
    if evidence.activations:
        worst = max(
            evidence.activations,
            key=lambda row: row.saturation - activation_of(row.name).max_saturation,
        )
        limit = activation_of(worst.name).max_saturation
        yield Gauge("% saturated, worst layer", worst.saturation, -limit, limit)
        dead = max(100 * row.dead / row.units for row in evidence.activations)
        few = 100 * layers.DEAD_SHARES[0]
        yield Gauge("% dead units, worst layer", dead, -few, few)
    if evidence.ranks and evidence.activations:
        name, rank = min(evidence.ranks.items(), key=lambda item: item[1])
        units = next(row.units for row in evidence.activations if row.name == name)
        yield Gauge("effective rank, lowest", rank, layers.MIN_RANK, max(units, 2.0))
