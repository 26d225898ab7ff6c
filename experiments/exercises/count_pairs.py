"""Exercise 1: count pairs of characters."""

from collections.abc import Mapping, Sequence

import numpy as np

from experiments.exercises.exercise import Exercise, Function, hold, kind

Pairs = dict[tuple[str, str], int]
NAMES = ["anna", "bob", "zoe", "hannah", "al", "x", "benjamin"]


def counted(count_pairs: Function, names: Sequence[str]) -> Pairs:
    """Return what the learner's function counted, without zeros."""
    counts = count_pairs([*names])
    hold(isinstance(counts, Mapping), f"must return a dict, not {kind(counts)}")
    for key, count in counts.items():
        two = isinstance(key, tuple) and [*map(type, key)] == [str, str]
        hold(two, f"its keys must be tuples of two characters, such as ('e', 'm'), not {key!r}")
        whole = isinstance(count, int | np.integer)
        hold(whole, f"its values must be whole numbers, but that of {key} is {count!r}")
    return {key: int(count) for key, count in counts.items() if count}


def agree(got: Pairs, wanted: Pairs, given: str) -> None:
    """Require the same counts; the sentence names the first pair that differs."""
    for pair in sorted({*got, *wanted}):
        count, right = got.get(pair, 0), wanted.get(pair, 0)
        swapped = got.get((pair[1], pair[0]), 0) == right != count
        hint = " (is each pair in the order of reading?)" if swapped else ""
        hold(
            count == right,
            f"{given} the pair {pair} must have the count {right}, not {count}{hint}",
        )


def total(count_pairs: Function) -> None:
    """A name has one pair more than letters."""
    for name in ("emma", "olivia", "x"):
        found, right = sum(counted(count_pairs, [name]).values()), len(name) + 1
        hint = " (is '.' put before the first and after the last?)" if found < right else ""
        hold(found == right, f"the name {name!r} must have {right} pairs in all, not {found}{hint}")


def ends(count_pairs: Function) -> None:
    """Every name has one pair that begins with '.', and one that ends with it."""
    counts = counted(count_pairs, NAMES)
    for side, word in enumerate(("begin", "end")):
        found = sum(count for pair, count in counts.items() if pair[side] == ".")
        hold(
            found == len(NAMES),
            f"{len(NAMES)} names must have {len(NAMES)} pairs that {word} with '.', not {found}",
        )


def lists_add_up(count_pairs: Function) -> None:
    """The counts of two lists add up."""
    first, second = (counted(count_pairs, part) for part in (NAMES[:3], NAMES[2:]))
    wanted = {pair: first.get(pair, 0) + second.get(pair, 0) for pair in {*first, *second}}
    agree(
        counted(count_pairs, [*NAMES[:3], *NAMES[2:]]),
        wanted,
        f"if {NAMES[:3]} and {NAMES[2:]} are counted as one list,",
    )


def reversed_names(count_pairs: Function) -> None:
    """Names read backwards have the pairs read backwards."""
    counts = counted(count_pairs, NAMES)
    agree(
        counted(count_pairs, [name[::-1] for name in NAMES]),
        {(b, a): count for (a, b), count in counts.items()},
        f"if every name of {NAMES} is read backwards,",
    )


def by_hand(count_pairs: Function) -> None:
    """The counts are those of counting by hand."""
    rng = np.random.default_rng(1)
    letters = [[*"abcdé"][: 2 + i] for i in range(4)]
    for names in (["emma"], ["".join(rng.choice(letters[i], 3 + i)) for i in range(4)], []):
        wanted: Pairs = {}
        for name in names:
            for i in range(len(name) + 1):
                pair = f".{name}."[i], f".{name}."[i + 1]
                wanted[pair] = wanted.get(pair, 0) + 1
        agree(counted(count_pairs, names), wanted, f"for {names}")


EXERCISE = Exercise(
    1,
    "count pairs of characters",
    "count_pairs(names: list[str]) -> dict[tuple[str, str], int]",
    """Count each pair of neighbouring characters in a list of names.

The character "." stands before the first letter of each name and after its last, so "emma" has
the pairs (".", "e"), ("e", "m"), ("m", "m"), ("m", "a") and ("a", "."). Return a dict from each
pair to how often it occurs; pairs that do not occur may be missing.
""",
    (total, ends, lists_add_up, reversed_names, by_hand),
    "from collections import Counter\n",
)
