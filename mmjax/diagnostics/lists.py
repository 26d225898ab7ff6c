"""Figures of a list's parts: repeated names, names in two parts, and parts that differ."""

import math
from collections import Counter
from typing import NamedTuple

import numpy as np
from jaxtyping import Integer
from scipy.stats import chi2

from mmjax.data import corpus

LOOK = 200_000  # names of a part that are looked at, at most
RARE = 5  # an expected count below this is added to those of other rare letters


class ListFigures(NamedTuple):
    """How the names of training and validation relate."""

    names_train: int
    names_val: int
    shared: float
    """Share of the validation names that also stand in training."""
    shared_expected: float
    """The share to expect if both parts are drawn from one list: that of training names that stand
    in the rest of training."""
    repeats: int
    """Largest number that divides how often each distinct name occurs, over both parts: 1 in almost
    any list, 2 in a list that was joined with itself."""
    log_p: float
    """log10 of the probability that parts of one shuffled list differ as much as these do in their
    first letters or their lengths."""


def list_figures(
    train: Integer[np.ndarray, "tokens_train"], val: Integer[np.ndarray, "tokens_val"]
) -> ListFigures | None:
    """Return the figures of two parts, flat arrays as `corpus.encode` returns them.

    None if a part has no name, or training has more than `LOOK` names.
    """
    if min(len(train), len(val)) < 2 or np.count_nonzero(train == 0) > LOOK:
        return None
    known, held = corpus.token_strings(train), corpus.token_strings(val)
    counted = Counter(known)
    joined = counted + Counter(held)
    # A name of training occurs in the rest of training unless it occurs once.
    expected = sum(count for count in counted.values() if count > 1) / len(known)
    return ListFigures(
        *(len(known), len(held)),
        sum(name in counted for name in held) / len(held),
        expected,
        math.gcd(*joined.values()),
        min(
            log_p(Counter(map(value, known)), Counter(map(value, held))) + math.log10(2)
            for value in (lambda name: name[:1], len)
        ),
    )


def log_p(one: Counter, other: Counter) -> float:
    """Return log10 of the p-value of the chi-square test that two counts have one distribution.

    Values with fewer than `RARE` expected occurrences in a sample are counted together.
    """
    sizes = (one.total(), other.total())
    smaller = min(sizes) / sum(sizes)
    common = [value for value in one | other if smaller * (one[value] + other[value]) >= RARE]
    table = np.array([[counts[value] for value in common] for counts in (one, other)], float)
    rest = np.array(sizes)[:, None] - table.sum(axis=1, keepdims=True)
    table = np.append(table, rest, axis=1)
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2:
        return 0.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    return float(chi2.logsf(statistic, table.shape[1] - 1)) / math.log(10)
