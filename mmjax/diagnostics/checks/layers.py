"""Checks of the layers' outputs and their gradients."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from mmjax.diagnostics.evidence import Evidence
from mmjax.diagnostics.finding import Finding
from mmjax.diagnostics.record import activation_name, activation_of
from mmjax.diagnostics.tables import Gradient

# std at the first activation layer over that at the last, or the inverse
MAX_GRADIENT_SPREAD, FAILED_SPREAD = 10.0, 1_000.0
DEAD_SHARES = (0.1, 0.5)  # of a layer's units: up to the first a note, above the second a fault
HEALTHY_GAIN = 1.7  # the lecture's is 5/3
MIN_RANK = 1.5  # directions that the outputs of a layer use


def gradients(evidence: Evidence) -> Iterator[Finding]:
    """Find gradients that are much smaller or larger at the first layer than at the last.

    Training evens them out, so those before the first step are looked at if the last are even.
    """
    found = [*_spread(evidence, evidence.gradients, "")]
    yield from found or _spread(evidence, evidence.first_gradients, " before the first step")


def _spread(evidence: Evidence, rows: Sequence[Gradient], when: str) -> Iterator[Finding]:
    if len(rows) < 2:
        return
    first, last = rows[0], rows[-1]
    where = f"layer {first.layer} ({first.name}), gradient relative to layer {last.layer}{when}"
    ratio = first.std / last.std if last.std else math.nan
    limit, most = MAX_GRADIENT_SPREAD, FAILED_SPREAD
    if not ratio >= 1 / limit:
        normalised = any(row.normalised for row in evidence.activations)
        remedy = "a better initialisation, fewer layers, or residual connections"
        remedy += ", or BatchNorm" * (not normalised)
        changes: dict[str, Any] = {"residual": True} if normalised else {"norm": "batch"}
        grade = "warning" if ratio >= 1 / most else "fault"
        yield Finding(
            *("vanishing gradients", where, ratio, 1 / limit, remedy), grade=grade, changes=changes
        )
    elif ratio > limit:
        remedy = "fewer layers, a smaller gain, a lower learning rate, or clipped gradients"
        grade = "warning" if ratio <= most else "fault"
        changes = {"clip_norm": 1.0}
        yield Finding(
            *("exploding gradients", where, ratio, limit, remedy), grade=grade, changes=changes
        )


def activations(evidence: Evidence) -> Iterator[Finding]:
    """Find units that are dead, and layers that are saturated."""
    for row in evidence.activations:
        kind = activation_name(row.name)
        where = f"layer {row.layer} ({row.name})"
        if row.dead:
            remedy = "smaller initial weights, or a lower learning rate"
            few, most = (share * row.units for share in DEAD_SHARES)
            grade = "note" if row.dead <= few else "warning" if row.dead <= most else "fault"
            unit = f" of {row.units} units"
            yield Finding(
                *("dead units", where, row.dead, 0, remedy, unit, grade),
            )
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
            yield Finding(
                *(f"saturated {kind}", where, row.saturation, limit, remedy, " %", grade),
                changes=_unsaturated(evidence, row.normalised),
            )


def ranks(evidence: Evidence) -> Iterator[Finding]:
    """Find layers whose outputs are all alike, now or before the first step."""
    for ranks, when in ((evidence.ranks, ""), (evidence.first_ranks, " before the first step")):
        for name, rank in (ranks or {}).items():
            if not rank < MIN_RANK:
                continue
            yield Finding(
                *("collapsed layer", f"{name}{when}", rank, MIN_RANK),
                "random initial weights, and a scale of the normalisation that is not 0",
                " directions",
                "fault",
            )
            return


def _unsaturated(evidence: Evidence, normalised: bool) -> dict[str, Any]:
    model, recipe = evidence.model, evidence.recipe
    if normalised:
        return {"learning_rate": float(f"{recipe.learning_rate / 10:.1g}")} if recipe else {}
    if getattr(model, "norm", "none") == "none":
        return {"norm": "batch"}
    return {"gain": 1.67} if getattr(model, "gain", 0.0) > HEALTHY_GAIN else {"norm_input": True}
