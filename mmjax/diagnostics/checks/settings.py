"""Checks of the settings, where they alone tell what is wrong."""

from collections.abc import Iterator

from mmjax.diagnostics.evidence import Evidence
from mmjax.diagnostics.finding import Finding, option

MIN_BATCH, FAILED_BATCH = 8, 4  # rows of a batch whose statistics normalise it
# part of the weights that a step at the highest rate forgets
MAX_DECAY, FAILED_DECAY = 0.005, 0.015
MAX_CLIPPED = 10.0  # norm of the gradient over its largest allowed norm
MAX_RANDOM = 0.7  # dropout, and noise in the contexts
LEFT_RATE = 0.05  # of the highest learning rate, before half of the steps


def batch(evidence: Evidence) -> Iterator[Finding]:
    """Find a batch that is too small for its own statistics."""
    model, recipe = evidence.model, evidence.recipe
    if recipe and getattr(model, "norm", "") == "batch" and recipe.batch_size < MIN_BATCH:
        finding = _finding("small batch", "batch_size", recipe.batch_size, MIN_BATCH, batch_size=32)
        yield finding._replace(grade="fault" if recipe.batch_size < FAILED_BATCH else "warning")


def weight_decay(evidence: Evidence) -> Iterator[Finding]:
    """Find a weight decay that forgets weights faster than they are learned."""
    recipe = evidence.recipe
    if recipe and recipe.weight_decay * recipe.learning_rate > MAX_DECAY:
        share = recipe.weight_decay * recipe.learning_rate
        better = float(f"{MAX_DECAY / 5 / recipe.learning_rate:.1g}")
        where = "part of each weight that a step at the highest learning rate subtracts"
        finding = _finding("strong weight decay", where, share, MAX_DECAY, weight_decay=better)
        yield finding._replace(grade="fault" if share > FAILED_DECAY else "warning")


def clipping(evidence: Evidence) -> Iterator[Finding]:
    """Find a limit of the gradient's norm that shortens every gradient."""
    recipe, norm = evidence.recipe, evidence.gradient_norm
    if recipe and norm is not None and recipe.clip_norm and norm > MAX_CLIPPED * recipe.clip_norm:
        where = "norm of the gradient over clip_norm"
        ratio = norm / recipe.clip_norm
        yield _finding("clipped gradients", where, ratio, MAX_CLIPPED, clip_norm=1.0)


def randomness(evidence: Evidence) -> Iterator[Finding]:
    """Find dropout or noise that hides what there is to learn."""
    dropout = getattr(evidence.model, "dropout", 0.0)
    if dropout > MAX_RANDOM:
        yield _finding("strong dropout", "dropout", dropout, MAX_RANDOM, dropout=0.1)
    if evidence.recipe and evidence.recipe.noise > MAX_RANDOM:
        noise = evidence.recipe.noise
        yield _finding("strong noise", "noise of the contexts", noise, MAX_RANDOM, noise=0.1)


def schedule(evidence: Evidence) -> Iterator[Finding]:
    """Find a learning rate that does not rise in time, or falls too early."""
    recipe, rates = evidence.recipe, evidence.learning_rates
    # The weights may be those of an earlier step, if the run stopped early.
    steps = max((step for step, _ in rates), default=evidence.steps)
    if not recipe or not steps:
        return
    if recipe.warmup_steps > steps / 2:
        where = "warmup_steps over the trained steps"
        share = recipe.warmup_steps / steps
        yield _finding("long warm-up", where, share, 0.5, warmup_steps=steps // 10)
        return
    early = [rate for step, rate in rates if step <= recipe.steps / 2]
    if early and min(early) < LEFT_RATE * recipe.learning_rate and not recipe.warmup_steps:
        where = "learning rate in the first half of the run, over the highest"
        share = min(early) / recipe.learning_rate
        yield _finding("early drop", where, share, LEFT_RATE, drop_step=recipe.steps // 2)


def _finding(
    symptom: str, where: str, figure: float, threshold: float, **changes: float
) -> Finding:
    return Finding(symptom, where, figure, threshold, option(changes), changes=changes)
