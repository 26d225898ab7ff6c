"""Exercise 2: turn counts into probabilities."""

import numpy as np

from experiments.exercises.exercise import Exercise, Function, array, hold, same

COUNTS = np.array(  # not symmetric; every row and every column has another sum
    [[0, 3, 1, 0, 7], [2, 0, 0, 5, 4], [1, 1, 0, 0, 11], [0, 2, 6, 3, 2], [13, 0, 1, 2, 1]],
    np.float32,
)


def rows_sum_to_one(probabilities: Function) -> None:
    """Every row sums to 1."""
    found = array(probabilities(COUNTS.copy(), 1.0), COUNTS.shape)
    columns = np.allclose(found.sum(0), 1)

    def hint() -> str:
        return (
            "the columns sum to 1: divide by the sums along axis 1"
            if columns
            else "is smoothing added before the sum, too?"
            if (found.sum(1) > 1).all()
            else "is each row divided by its own sum? sum(axis=1, keepdims=True) keeps it a column"
        )

    same(found.sum(1), 1, f"with the counts {COUNTS.astype(int).tolist()} the sum of a row", hint)


def unseen(probabilities: Function) -> None:
    """With smoothing, a pair that was never seen has a probability above 0."""
    counts = COUNTS.copy()
    counts[3] = 0
    found = array(probabilities(counts, 1.0), COUNTS.shape)
    hold(found[0, 0] > 0, f"with smoothing 1 a count of 0 must not give {found[0, 0]:.4g}")
    same(found[3], 0.2, "with smoothing 1 the probabilities in a row of 5 zeros")


def large_smoothing(probabilities: Function) -> None:
    """Very large smoothing makes all pairs equally probable."""
    found = array(probabilities(COUNTS.copy(), 1e7), COUNTS.shape)
    what = "with smoothing 10,000,000 each of the 5 probabilities in a row"
    same(found, 0.2, what, lambda: "is the argument smoothing used?")


def order_of_letters(probabilities: Function) -> None:
    """Another order of the letters gives the same probabilities in that order."""
    order = np.array([3, 0, 4, 2, 1])
    plain = array(probabilities(COUNTS.copy(), 0.5), COUNTS.shape)
    found = array(probabilities(COUNTS[order][:, order], 0.5), COUNTS.shape)
    same(found, plain[order][:, order], "after exchanging letters, a probability")


def smoothed_by_hand(probabilities: Function) -> None:
    """Each probability is that of the formula."""
    for smoothing in (0.0, 0.5, 3.0):
        found = array(probabilities(COUNTS.copy(), smoothing), COUNTS.shape)
        wanted = [
            [(c + smoothing) / sum(d + smoothing for d in row) for c in row] for row in COUNTS
        ]
        same(found, wanted, f"with smoothing {smoothing:g}, a probability")


def counts_unchanged(probabilities: Function) -> None:
    """The argument is not changed."""
    counts = COUNTS.copy()
    probabilities(counts, 1.0)
    hold(
        (counts == COUNTS).all(),
        "must not change counts; counts + smoothing makes a new array, += does not",
    )


EXERCISE = Exercise(
    2,
    "probabilities of the next letter",
    "probabilities(counts: np.ndarray, smoothing: float) -> np.ndarray",
    """Turn counts of pairs into probabilities of the next letter.

counts is an array [n, n]: row a, column b has the count of the pair (a, b). Add smoothing to
every count, then divide each row by its sum. Return an array [n, n] whose rows sum to 1.
""",
    (
        rows_sum_to_one,
        unseen,
        large_smoothing,
        order_of_letters,
        smoothed_by_hand,
        counts_unchanged,
    ),
    "import numpy as np\n",
)
