"""Exercise 11: the best mixture of two models."""

import jax.numpy as jnp
import numpy as np

from experiments.exercises.exercise import Exercise, Function, hold, number, same, shown

COUNT = 211
RNG = np.random.default_rng(11)
GOOD = RNG.uniform(0.02, 0.9, COUNT).astype(np.float32)
OTHER = RNG.uniform(0.01, 0.6, COUNT).astype(np.float32)


def found(best_weight: Function, a: np.ndarray, b: np.ndarray) -> float:
    """Return the learner's weight."""
    weight = number(best_weight(jnp.asarray(a), jnp.asarray(b)), "the weight")
    hold(0 <= weight <= 1, f"the weight must be from 0 to 1, not {shown(weight)}")
    return weight


def loss(weight: float, a: np.ndarray, b: np.ndarray) -> float:
    """Return the loss of the mixture, in float64."""
    with np.errstate(divide="ignore"):
        mixed = weight * a.astype(np.float64) + (1 - weight) * b.astype(np.float64)
        return float(-np.log(mixed).mean())


def one_is_better(best_weight: Function) -> None:
    """If one model is better everywhere, it gets the weight 1."""
    for a, b, wanted in ((GOOD, GOOD / 3, 1), (GOOD / 3, GOOD, 0)):
        better = "a" if wanted else "b"
        found_weight = found(best_weight, a, b)
        hold(
            abs(found_weight - wanted) <= 1.5e-3,
            f"if {better} is better for every example, the weight of a must be {wanted}, not"
            f" {shown(found_weight)}",
        )


def not_worse(best_weight: Function) -> None:
    """The mixture is not worse than the better model alone."""
    for a, b in ((GOOD, OTHER / 10), (OTHER / 10, GOOD), (GOOD, GOOD[::-1])):
        weight = found(best_weight, a, b)
        mixed, alone = loss(weight, a, b), min(loss(1, a, b), loss(0, a, b))
        hold(
            mixed <= alone + 1e-5,
            f"the mixture with the weight {shown(weight)} has the loss {shown(mixed)}, but one"
            f" model alone has {shown(alone)}",
        )


def lowest(best_weight: Function) -> None:
    """No other weight has a lower loss."""
    for a, b in ((GOOD, OTHER), (GOOD, GOOD[::-1]), (GOOD**2, OTHER[::-1])):
        weight = found(best_weight, a, b)
        grid = np.linspace(0, 1, 2_001)
        losses = [loss(each, a, b) for each in grid]
        best = int(np.argmin(losses))
        hold(
            abs(weight - grid[best]) <= 2e-3 or loss(weight, a, b) <= losses[best] + 1e-7,
            f"the weight {shown(weight)} has the loss {loss(weight, a, b):.6f}, but"
            f" {shown(grid[best])} has {losses[best]:.6f}"
            " (is it the log of the mixture, and is it found to 1e-3?)",
        )


def swapped(best_weight: Function) -> None:
    """The models the other way round give 1 minus the weight."""
    weight, other = found(best_weight, GOOD, OTHER), found(best_weight, OTHER, GOOD)
    what = f"best_weight(a, b) is {shown(weight)}, so best_weight(b, a)"
    same(other, 1 - weight, what, near=2e-3)


def repeated(best_weight: Function) -> None:
    """Examples given three times change nothing."""
    a, b = (np.tile(each, 3) for each in (GOOD, OTHER))
    weight, again = found(best_weight, GOOD, OTHER), found(best_weight, a, b)
    same(again, weight, "with all examples given three times, the weight", near=2e-3)


def impossible(best_weight: Function) -> None:
    """A model that gives one example 0 does not get the weight 1."""
    a, b = GOOD.copy(), GOOD / 3
    a[5] = 0
    weight = found(best_weight, a, b)
    hold(
        loss(weight, a, b) < loss(0, a, b),
        f"a gives one example the probability 0, and b none: the weight {shown(weight)} has the"
        f" loss {loss(weight, a, b):.4g}, and 0 has {loss(0, a, b):.4g}",
    )


EXERCISE = Exercise(
    11,
    "the best mixture of two models",
    "best_weight(a: jax.Array, b: jax.Array) -> float",
    """Return the weight of a in the best mixture of two models.

a and b are arrays [m]: the probabilities that two models gave to the right letter of each of m
examples. Return the w from 0 to 1 with the lowest mean of -log(w * a + (1 - w) * b), to 1e-3.
Some of the probabilities may be 0.
""",
    (one_is_better, not_worse, lowest, swapped, repeated, impossible),
)
