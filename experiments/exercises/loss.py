"""Exercise 3: the loss of a table of probabilities."""

from math import log

import numpy as np

from experiments.exercises.exercise import Exercise, Function, hold, number, same, shown


def made() -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities [5, 5] and pairs [13, 2]."""
    rng = np.random.default_rng(3)
    table = rng.random((5, 5)) + 0.05
    probs = (table / table.sum(1, keepdims=True)).astype(np.float32)
    return probs, rng.integers(0, 5, (13, 2), np.int32)


def equal_probabilities(loss: Function) -> None:
    """Equal probabilities over n letters have the loss log(n)."""
    for n, m in ((27, 31), (5, 7)):
        pairs = np.random.default_rng(0).integers(0, n, (m, 2), np.int32)
        found, right = number(loss(np.full((n, n), 1 / n, np.float32), pairs)), log(n)
        causes = {
            m * right: "is it the mean over the pairs, or the sum?",
            -right: "is the minus missing?",
            right / log(2): "is it the natural logarithm?",
            right / log(10): "is it the natural logarithm?",
            1 / n: "is the logarithm missing?",
        }
        hint = next((text for value, text in causes.items() if abs(found - value) < 1e-3), "")
        same(
            found,
            right,
            f"the loss of equal probabilities over {n} letters and {m} pairs",
            lambda hint=hint, n=n: hint or f"it is log({n})",
        )


def certain(loss: Function) -> None:
    """Probability 1 for every pair of the list has the loss 0."""
    pairs = np.array([[0, 1], [1, 2], [2, 0], [0, 1]], np.int32)
    probs = np.roll(np.eye(3, dtype=np.float32), 1, axis=1)
    same(number(loss(probs, pairs)), 0, "the loss, if each pair of the list has probability 1,")


def order_in_a_pair(loss: Function) -> None:
    """The loss of one pair (a, b) is -log of row a, column b."""
    probs, _ = made()
    for a, b in ((0, 3), (4, 1), (2, 2)):
        found = number(loss(probs, np.array([[a, b]], np.int32)))
        swapped = abs(found + log(probs[b, a])) < 1e-4
        same(
            found,
            -log(probs[a, b]),
            f"with probs[{a}, {b}] = {probs[a, b]:.4g} the loss of the one pair ({a}, {b})",
            lambda a=a, b=b, swapped=swapped: f"is it probs[{b}, {a}]?" if swapped else "",
        )


def list_twice(loss: Function) -> None:
    """A list given twice has the loss of the list."""
    probs, pairs = made()
    once, twice = (number(loss(probs, given)) for given in (pairs, np.vstack([pairs, pairs])))
    same(twice, once, f"a list with the loss {shown(once)}, given twice: its loss")


def two_parts(loss: Function) -> None:
    """The loss of a list is the weighted mean of those of two parts."""
    probs, pairs = made()
    whole, first, second = (number(loss(probs, part)) for part in (pairs, pairs[:4], pairs[4:]))
    same(
        whole,
        (4 * first + 9 * second) / 13,
        f"4 pairs have the loss {shown(first)}, 9 others {shown(second)}: the loss of all 13",
        lambda: "does every pair count the same, also if it occurs again?",
    )


def impossible_pair(loss: Function) -> None:
    """A pair with probability 0 makes the loss infinite."""
    probs, pairs = made()
    a, b = pairs[5]
    probs[a, b] = 0
    found = number(loss(probs, pairs))
    hold(
        found == float("inf"),
        "a pair of the list with probability 0 must make the loss infinite, "
        f"not {shown(found)}"
        + (" (is a small number put in place of 0?)" if np.isfinite(found) else ""),
    )


EXERCISE = Exercise(
    3,
    "the loss of a table",
    "loss(probs: np.ndarray, pairs: np.ndarray) -> float",
    """Return the mean of -log(probs[a, b]) over all pairs (a, b).

probs is an array [n, n]: row a has the probabilities of the letter after a. pairs is an array
of whole numbers [m, 2]: each row is a pair (a, b); a pair may occur many times. Use the natural
logarithm. A pair with probability 0 makes the loss infinite.
""",
    (equal_probabilities, certain, order_in_a_pair, list_twice, two_parts, impossible_pair),
    "import numpy as np\n",
)
