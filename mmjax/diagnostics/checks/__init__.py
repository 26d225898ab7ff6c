"""Checks: functions of the evidence that yield findings.

To add one, write a function of `Evidence` and add it to `CHECKS`, those that name one cause before
those that see its effects.
"""

from collections.abc import Callable, Iterator

from mmjax.diagnostics.checks import data, layers, settings, state, training
from mmjax.diagnostics.evidence import Evidence
from mmjax.diagnostics.finding import Finding

CHECKS: tuple[Callable[[Evidence], Iterator[Finding]], ...] = (
    state.precision,
    state.non_finite,
    state.counters,
    state.dependence,
    state.running,
    data.readings,
    data.missing_tokens,
    data.leak,
    data.repeated,
    data.order,
    settings.batch,
    settings.weight_decay,
    settings.clipping,
    settings.randomness,
    settings.schedule,
    state.averaged,
    training.batches,
    layers.ranks,
    training.losses,
    training.start,
    layers.gradients,
    layers.activations,
    training.updates,
    training.large_updates,
    training.overfitting,
)
