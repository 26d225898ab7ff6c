"""Names that differ little: the listed names nearest to others."""

from collections import defaultdict
from collections.abc import Sequence
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

    One edit leaves the first or the second half of a listed name as it is. So a name is compared
    only with those of nearly its length of which it has a half.
    """
    halves = defaultdict[tuple[int, str, str], list[str]](list)
    for listed_name in listed:
        length = len(listed_name)
        halves[length, "first", listed_name[: length // 2]].append(listed_name)
        halves[length, "second", listed_name[length // 2 :]].append(listed_name)

    def is_near(name: str) -> bool:
        for length in (len(name) - 1, len(name), len(name) + 1):
            first, second = length // 2, length - length // 2
            alike = [
                *halves.get((length, "first", name[:first]), ()),
                *halves.get((length, "second", name[len(name) - second :]), ()),
            ]
            if process.extractOne(name, alike, scorer=Levenshtein.distance, score_cutoff=1):
                return True
        return False

    return [is_near(name) for name in names]
