"""Names that differ little: the listed names nearest to others."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rapidfuzz import process
from rapidfuzz.distance import Levenshtein


class Near(NamedTuple):
    """A listed name, and how many letters must be inserted, deleted or replaced to get it."""

    name: str
    edits: int


def nearest(name: str, listed: Sequence[str], n: int = 1) -> list[Near]:
    """Return the `n` listed names with the fewest edits from a name, nearest first.

    Names that are equally near are in the order of the list. The edits are those of Levenshtein.
    """
    found = process.extract(name, listed, scorer=Levenshtein.distance, limit=n)
    return [Near(listed_name, int(edits)) for listed_name, edits, _ in found]


def within_one_edit(names: Sequence[str], listed: Sequence[str]) -> list[bool]:
    """Return for each name whether a listed name is at most one edit away.

    Two such names are equal, or become equal when one of them or both lose a letter. So it takes
    time for the letters of both lists, not for their pairs.
    """
    candidates = defaultdict[str, list[int]](list)
    for i, name in enumerate(names):
        for shorter in _shortened(name):
            candidates[shorter].append(i)
    found = [False] * len(names)
    for listed_name in listed:
        for shorter in _shortened(listed_name):
            for i in candidates.get(shorter, ()):
                if not found[i]:
                    found[i] = Levenshtein.distance(names[i], listed_name, score_cutoff=1) <= 1
    return found


def _shortened(name: str) -> Iterator[str]:
    yield name
    yield from {name[:i] + name[i + 1 :] for i in range(len(name))}
