"""Checks of the losses and the updates."""

import math
import statistics
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mmjax.diagnostics.checks.state import averaged, running
from mmjax.diagnostics.evidence import Evidence
from mmjax.diagnostics.finding import Finding

UPDATE_RATIOS = (-4.5, -1.5)  # log10: a factor of 30 to each side of the lecture's 1e-3
FAILED_RATIOS = (-8.0, 0.0)  # updates lost in rounding, and updates as large as the weights
MAX_MEDIAN = -1.93  # log10: the median over the weight matrices
HEALTHY_RATIO = -2.7
MIN_LEARNED = 0.1  # nats below the first loss
LEAST_SHARE = 0.2  # of what can be learned, where that is little
MAX_RISE = 0.5  # nats above the first loss
MAX_GAP = 0.15  # nats between validation and training
MAX_START = 0.5  # nats of the first loss above equally likely tokens
MAX_REPEATED = 0.9  # of a batch's rows, at the same place in the batch before
MAX_EXTRA = 0.25  # nats of the last batches above the whole training part, or below it


def losses(evidence: Evidence) -> Iterator[Finding]:
    """Find a loss that rises, or that does not fall."""
    initial, final, counted = evidence.initial_loss, evidence.final_loss, evidence.counted_train
    if initial is None or final is None:
        return
    needed = MIN_LEARNED if counted is None else min(MIN_LEARNED, LEAST_SHARE * (initial - counted))
    # `not <=` lets a NaN, for which every comparison is False, count as diverging.
    if not final <= initial + MAX_RISE:
        remedy = "a lower learning rate, or clipped gradients"
        limit, changes = initial + MAX_RISE, _rate(evidence, 0.1)
        where = "training"
        yield Finding(
            *("diverging loss", where, final, limit, remedy, " nats", "fault"), changes=changes
        )
    elif final > initial - needed:
        remedy = "a higher learning rate, or longer training"
        changes = _rate(evidence, 10)
        limit, where = initial - needed, "training"
        yield Finding("slow learning", where, final, limit, remedy, " nats", changes=changes)


def start(evidence: Evidence) -> Iterator[Finding]:
    """Find a first loss far above that of equally likely tokens."""
    model, initial = evidence.model, evidence.initial_loss
    if model is None or initial is None:
        return
    limit = math.log(model.vocab_size) + MAX_START
    if not initial <= limit:
        yield Finding(
            "high first loss",
            f"first batch; equally likely tokens have ln({model.vocab_size})",
            initial,
            limit,
            "smaller weights and biases of the last layer",
            " nats",
            changes={"output_gamma": 0.1} if getattr(model, "output_gamma", 0.0) > 0.1 else {},
        )


def updates(evidence: Evidence) -> Iterator[Finding]:
    """Find weights that change too little or too much in a step."""
    (low, high), (lowest, highest) = UPDATE_RATIOS, FAILED_RATIOS
    ratios = evidence.update_ratios or {}
    frozen = {name: ratio for name, ratio in ratios.items() if ratio == -math.inf}
    # `not >=` lets a NaN count as too small.
    small = {n: r for n, r in ratios.items() if n not in frozen and not r >= low}
    large = {name: ratio for name, ratio in ratios.items() if ratio > high}
    if frozen:
        remedy = "gradients for all weights: no stop_gradient, no mask, no zero in their way"
        where, figure = _worst(frozen, min)
        yield Finding("frozen weights", where, figure, low, remedy, grade="fault")
    if small:
        where, figure = _worst(small, min)
        grade = "warning" if figure >= lowest else "fault"
        changes, remedy = _rate(evidence, 10), "a higher learning rate"
        yield Finding(
            *("updates too small", where, figure, low, remedy), grade=grade, changes=changes
        )
    if large:
        where, figure = _worst(large, max)
        grade = "warning" if figure <= highest else "fault"
        changes, remedy = _rate(evidence, 0.1), "a lower learning rate"
        yield Finding(
            *("updates too large", where, figure, high, remedy), grade=grade, changes=changes
        )


def _worst(ratios: Mapping[str, float], worst: Callable[..., str]) -> tuple[str, float]:
    """Return (the name with the worst ratio and how many others there are, the ratio)."""
    name = worst(ratios, key=lambda name: ratios[name])
    others = len(ratios) - 1
    more = f" and {others} more weight {'matrix' if others == 1 else 'matrices'}" * bool(others)
    return f"{name}{more}", ratios[name]


def large_updates(evidence: Evidence) -> Iterator[Finding]:
    """Find a step that changes most weights a lot, though none by too much.

    A schedule that falls to 0 may begin with such steps.
    """
    if evidence.recipe and evidence.recipe.schedule not in ("step", "constant"):
        return
    ratios = [*(evidence.update_ratios or {}).values()]
    middle = _median(evidence)
    if middle > MAX_MEDIAN and not any(ratio > UPDATE_RATIOS[1] for ratio in ratios):
        yield Finding(
            *("updates too large", "median of the weight matrices", middle, MAX_MEDIAN),
            "a lower learning rate",
            changes=_rate(evidence, 0.1),
        )


def batches(evidence: Evidence) -> Iterator[Finding]:
    """Find batches that repeat, or are much harder, or easier, than the whole training part.

    Running statistics or averaged parameters that are off make the whole part harder, too.
    """
    remedy = "batches from the whole training part, drawn with a new key in each step"
    if (evidence.repeated_rows or 0.0) > MAX_REPEATED:
        where = "rows of a batch that the batch before has, too"
        share, limit = 100 * (evidence.repeated_rows or 0.0), 100 * MAX_REPEATED
        yield Finding("few examples in the batches", where, share, limit, remedy, " %", "fault")
        return
    explained = any(any(check(evidence)) for check in (running, averaged))
    final, whole = evidence.final_loss, evidence.loss_train
    if final is None or whole is None:
        return
    if final - whole > MAX_EXTRA:
        yield Finding(
            "noise in training",
            "loss of the last batches minus that of the whole training part",
            final - whole,
            MAX_EXTRA,
            "targets without noise, less dropout, and less noise in the contexts",
            " nats",
        )
    elif whole - final > MAX_EXTRA and not explained:
        yield Finding(
            "few examples in the batches",
            "loss of the whole training part minus that of the last batches",
            whole - final,
            MAX_EXTRA,
            remedy,
            " nats",
            "fault",
        )


def overfitting(evidence: Evidence) -> Iterator[Finding]:
    """Find a validation loss far above the training loss."""
    train, val, counted = evidence.loss_train, evidence.loss_val, evidence.counted_val
    if train is None or val is None or val - train <= MAX_GAP:
        return
    remedy = "a smaller network, dropout, or more names"
    if not evidence.stops_early:
        remedy = f"early stopping, {remedy}"
    changes = {"dropout": 0.2} if evidence.stops_early else {"early_stopping": True}
    # Below counting the network makes good names, whatever it knows of the training part.
    grade = "note" if counted is not None and val <= counted else "warning"
    where = "validation loss minus training loss"
    yield Finding(
        *("overfitting", where, val - train, MAX_GAP, remedy, " nats", grade), changes=changes
    )


def _rate(evidence: Evidence, factor: float) -> dict[str, Any]:
    """Return a learning rate with one digit, at which most updates would be healthy.

    It is the run's times `factor` where the update ratios do not tell, and never on its other side.
    """
    rate = evidence.recipe.learning_rate if evidence.recipe else 0
    if not rate:
        return {}
    middle = _median(evidence)
    if math.isfinite(middle):
        wanted = 10 ** (HEALTHY_RATIO - middle)
        factor = max(wanted, factor) if factor > 1 else min(wanted, factor)
    return {"learning_rate": float(f"{factor * rate:.1g}")}


def _median(evidence: Evidence) -> float:
    ratios = [*(evidence.update_ratios or {}).values()]
    return statistics.median(ratios) if ratios else math.nan
