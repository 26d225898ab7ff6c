"""Health: figures compared with limits, as findings."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from mmjax.diagnostics.record import activation_name, activation_of
from mmjax.diagnostics.tables import Activation, Gradient

# std at the first activation layer over that at the last, or the inverse
MAX_GRADIENT_SPREAD, FAILED_SPREAD = 10.0, 1_000.0
UPDATE_RATIOS = (-4.5, -1.5)  # log10: a factor of 30 to each side of the lecture's 1e-3
FAILED_RATIOS = (-8.0, 0.0)  # updates lost in rounding, and updates as large as the weights
MIN_LEARNED = 0.1  # nats below the first loss
LEAST_SHARE = 0.2  # of what can be learned, where that is little
MAX_RISE = 0.5  # nats above the first loss
MAX_GAP = 0.15  # nats between validation and training
DEAD_SHARES = (0.1, 0.5)  # of a layer's units: up to the first a note, above the second a fault


Grade = Literal["fault", "warning", "note"]
GRADES: tuple[Grade, ...] = ("fault", "warning", "note")


class Finding(NamedTuple):
    """What is wrong, where, the figure and its threshold, and what to try."""

    symptom: str
    where: str
    figure: float
    threshold: float
    remedy: str
    unit: str = ""
    """Unit of the figure and the threshold: " %", " nats" or " of 100 units"."""
    grade: Grade = "warning"

    @property
    def advice(self) -> str:
        """What to do about it; a good network may have what a note says."""
        return "if the losses are poor, " * (self.grade == "note") + f"try {self.remedy}"


def health(
    activations: Sequence[Activation] = (),
    gradients: Sequence[Gradient] = (),
    *,
    update_ratios: Mapping[str, float] | None = None,
    initial_loss: float | None = None,
    final_loss: float | None = None,
    loss_train: float | None = None,
    loss_val: float | None = None,
    counted_train: float | None = None,
    counted_val: float | None = None,
    stops_early: bool = False,
) -> list[Finding]:
    """Return all findings, the most serious grade first.

    An empty list means that no check failed. Figures that are not given are not checked.
    `update_ratios` are log10 of update:data for each weight matrix, a mean over the steps of one
    chunk. `initial_loss` and `final_loss` are of training batches, `loss_train` and `loss_val` over
    the whole parts, in nats per character; `counted_train` and `counted_val` are losses of counted
    contexts on the same parts, which show what can be learned. With `stops_early`, the weights are
    those with the lowest validation loss, and no finding advises early stopping.

    A layer counts as saturated if it is above the limit by more than two standard errors, so that
    another batch usually gives the same finding. A normalisation is advised only where the network
    has none.

    A fault means that training has failed. A warning means that its remedy is worth a try. A note
    is worth knowing, and a good network may have some.
    """
    found = [
        *_loss_findings(initial_loss, final_loss, counted_train),
        *_gradient_findings(gradients, any(row.normalised for row in activations)),
        *_activation_findings(activations),
        *_update_findings(update_ratios or {}),
        *_overfitting_findings(loss_train, loss_val, counted_val, stops_early),
    ]
    return sorted(found, key=lambda finding: GRADES.index(finding.grade))


def _loss_findings(
    initial: float | None, final: float | None, counted: float | None
) -> Iterator[Finding]:
    if initial is None or final is None:
        return
    needed = MIN_LEARNED if counted is None else min(MIN_LEARNED, LEAST_SHARE * (initial - counted))
    # `not <=` lets a NaN, for which every comparison is False, count as diverging.
    if not final <= initial + MAX_RISE:
        remedy = "a lower learning rate, or clipped gradients"
        limit = initial + MAX_RISE
        yield Finding("diverging loss", "training", final, limit, remedy, " nats", "fault")
    elif final > initial - needed:
        remedy = "a higher learning rate, or longer training"
        yield Finding("slow learning", "training", final, initial - needed, remedy, " nats")


def _gradient_findings(gradients: Sequence[Gradient], normalised: bool) -> Iterator[Finding]:
    if len(gradients) < 2:
        return
    first, last = gradients[0], gradients[-1]
    where = f"layer {first.layer} ({first.name}), gradient relative to layer {last.layer}"
    ratio = first.std / last.std if last.std else math.nan
    limit, most = MAX_GRADIENT_SPREAD, FAILED_SPREAD
    if not ratio >= 1 / limit:
        remedy = "a better initialisation, fewer layers, or residual connections"
        remedy += ", or BatchNorm" * (not normalised)
        grade = "warning" if ratio >= 1 / most else "fault"
        yield Finding("vanishing gradients", where, ratio, 1 / limit, remedy, grade=grade)
    elif ratio > limit:
        remedy = "fewer layers, a smaller gain, a lower learning rate, or clipped gradients"
        grade = "warning" if ratio <= most else "fault"
        yield Finding("exploding gradients", where, ratio, limit, remedy, grade=grade)


def _activation_findings(activations: Sequence[Activation]) -> Iterator[Finding]:
    for row in activations:
        kind = activation_name(row.name)
        where = f"layer {row.layer} ({row.name})"
        if row.dead:
            remedy = "a smaller gain, or a lower learning rate"
            few, most = (share * row.units for share in DEAD_SHARES)
            grade = "note" if row.dead <= few else "warning" if row.dead <= most else "fault"
            yield Finding("dead units", where, row.dead, 0, remedy, f" of {row.units} units", grade)
        limit = activation_of(row.name).max_saturation
        if not row.saturation <= limit + 2 * row.saturation_error:
            remedy = (
                "a lower learning rate, or weight decay"
                if row.normalised
                else f"a smaller gain, or a normalisation before this {kind}"
            )
            # A network learns well with a third of the outputs that a healthy layer has left.
            left = (100 - row.saturation) / (100 - limit)
            grade = "note" if left > 1 / 3 else "warning" if left > 1 / 20 else "fault"
            yield Finding(*(f"saturated {kind}", where, row.saturation, limit, remedy, " %", grade))


def _update_findings(ratios: Mapping[str, float]) -> Iterator[Finding]:
    (low, high), (lowest, highest) = UPDATE_RATIOS, FAILED_RATIOS
    for name, ratio in ratios.items():
        grade = "warning" if lowest <= ratio <= highest else "fault"
        if not ratio >= low:
            remedy = "a higher learning rate"
            yield Finding("updates too small", name, ratio, low, remedy, grade=grade)
        elif ratio > high:
            remedy = "a lower learning rate"
            yield Finding("updates too large", name, ratio, high, remedy, grade=grade)


def _overfitting_findings(
    train: float | None, val: float | None, counted: float | None, stops_early: bool
) -> Iterator[Finding]:
    if train is None or val is None or val - train <= MAX_GAP:
        return
    remedy = "a smaller network, dropout, or more names"
    if not stops_early:
        remedy = f"early stopping, {remedy}"
    where = "validation loss minus training loss"
    # Below counting the network makes good names, whatever it knows of the training part.
    grade = "note" if counted is not None and val <= counted else "warning"
    yield Finding("overfitting", where, val - train, MAX_GAP, remedy, " nats", grade)
