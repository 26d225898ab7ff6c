"""Health: figures compared with limits, as findings."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from mmjax.diagnostics.record import activation_name, activation_of
from mmjax.diagnostics.tables import Activation, Gradient

MAX_GRADIENT_SPREAD = (
    10.0  # std at the first activation layer over that at the last, or the inverse
)
UPDATE_RATIOS = (-4.5, -1.5)  # log10: a factor of 30 to each side of the lecture's 1e-3
MIN_LEARNED = 0.1  # nats below the first loss
MAX_RISE = 0.5  # nats above the first loss
MAX_GAP = 0.15  # nats between validation and training


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
    """Unit of the figure and the threshold: " %", " nats" or " units"."""
    grade: Grade = "warning"


def health(
    activations: Sequence[Activation] = (),
    gradients: Sequence[Gradient] = (),
    *,
    update_ratios: Mapping[str, float] | None = None,
    initial_loss: float | None = None,
    final_loss: float | None = None,
    loss_train: float | None = None,
    loss_val: float | None = None,
) -> list[Finding]:
    """Return all findings, the most serious grade first.

    An empty list means that no check failed. Figures that are not given are not checked.
    `update_ratios` are log10 of update:data for each weight matrix, a mean over the steps of one
    chunk. `initial_loss` and `final_loss` are of training batches, `loss_train` and `loss_val` over
    the whole parts, in nats per character. A layer counts as saturated if it is above the limit by
    more than two standard errors, so that another batch usually gives the same finding.

    A fault means that training has failed. A warning means that its remedy is worth a try. A note
    is worth knowing, and a good network may have some.
    """
    found = [
        *_loss_findings(initial_loss, final_loss),
        *_gradient_findings(gradients),
        *_activation_findings(activations),
        *_update_findings(update_ratios or {}),
        *_overfitting_findings(loss_train, loss_val),
    ]
    return sorted(found, key=lambda finding: GRADES.index(finding.grade))


def _loss_findings(initial: float | None, final: float | None) -> Iterator[Finding]:
    if initial is None or final is None:
        return
    # `not <=` lets a NaN, for which every comparison is False, count as diverging.
    if not final <= initial + MAX_RISE:
        remedy = "a lower learning rate, or clipped gradients"
        limit = initial + MAX_RISE
        yield Finding("diverging loss", "training", final, limit, remedy, " nats", "fault")
    elif final > initial - MIN_LEARNED:
        remedy = "a higher learning rate, or longer training"
        yield Finding("slow learning", "training", final, initial - MIN_LEARNED, remedy, " nats")


def _gradient_findings(gradients: Sequence[Gradient]) -> Iterator[Finding]:
    if len(gradients) < 2:
        return
    first, last = gradients[0], gradients[-1]
    where = f"layer {first.layer} ({first.name}), gradient relative to layer {last.layer}"
    ratio = first.std / last.std if last.std else math.nan
    if not ratio >= 1 / MAX_GRADIENT_SPREAD:
        remedy = "a better initialisation, or BatchNorm"
        yield Finding("vanishing gradients", where, ratio, 1 / MAX_GRADIENT_SPREAD, remedy)
    elif ratio > MAX_GRADIENT_SPREAD:
        remedy = "fewer layers, a smaller gain, a lower learning rate, or clipped gradients"
        yield Finding("exploding gradients", where, ratio, MAX_GRADIENT_SPREAD, remedy)


def _activation_findings(activations: Sequence[Activation]) -> Iterator[Finding]:
    for row in activations:
        kind = activation_name(row.name)
        where = f"layer {row.layer} ({row.name})"
        if row.dead:
            remedy = "a smaller gain, or a lower learning rate"
            yield Finding("dead units", where, row.dead, 0, remedy, " units")
        limit = activation_of(row.name).max_saturation
        if not row.saturation <= limit + 2 * row.saturation_error:
            remedy = (
                "a lower learning rate, or weight decay"
                if row.normalised
                else f"a smaller gain, or BatchNorm before this {kind}"
            )
            # A network learns well with a third of the outputs that a healthy layer has left.
            grade = "note" if 100 - row.saturation > (100 - limit) / 3 else "warning"
            yield Finding(*(f"saturated {kind}", where, row.saturation, limit, remedy, " %", grade))


def _update_findings(ratios: Mapping[str, float]) -> Iterator[Finding]:
    low, high = UPDATE_RATIOS
    for name, ratio in ratios.items():
        if not ratio >= low:
            yield Finding("updates too small", name, ratio, low, "a higher learning rate")
        elif ratio > high:
            yield Finding("updates too large", name, ratio, high, "a lower learning rate")


def _overfitting_findings(train: float | None, val: float | None) -> Iterator[Finding]:
    if train is not None and val is not None and val - train > MAX_GAP:
        remedy = "a smaller network, fewer steps, or more names"
        yield Finding(
            "overfitting",
            "validation loss minus training loss",
            val - train,
            MAX_GAP,
            remedy,
            " nats",
        )
