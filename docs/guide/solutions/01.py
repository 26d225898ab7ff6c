"""Exercise 1: count pairs of characters."""

from collections import Counter
from itertools import pairwise


def count_pairs(names: list[str]) -> dict[tuple[str, str], int]:
    """Count each pair of neighbouring characters; "." stands at both ends of a name."""
    counts: Counter[tuple[str, str]] = Counter()
    for name in names:
        counts.update(pairwise(f".{name}."))
    return counts
