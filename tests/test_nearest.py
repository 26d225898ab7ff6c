"""The nearest listed names, beside the edit distance from its formula."""

import random
from functools import cache

import pytest

from mmjax.evaluate.nearest import Near, nearest, within_one_edit


@cache
def edits(a, b):
    """Levenshtein's distance by its recursion."""
    if not a or not b:
        return len(a) + len(b)
    replaced = edits(a[1:], b[1:]) + (a[0] != b[0])
    return min(edits(a[1:], b) + 1, edits(a, b[1:]) + 1, replaced)


@pytest.fixture
def lists():
    draw = random.Random(7)
    words = ["".join(draw.choices("abé", k=draw.randint(1, 5))) for _ in range(131)]
    return words[:53], words[53:]


def test_within_one_edit_is_the_distance_from_its_formula(lists):
    names, listed = lists
    expected = [min(edits(name, other) for other in listed) <= 1 for name in names]
    assert any(expected)
    assert not all(expected)
    assert within_one_edit(names, listed) == expected
    assert within_one_edit(["ab"], ["ba"]) == [False]  # both become "a", two edits apart
    assert within_one_edit(["a"], []) == [False]
    assert within_one_edit(["", "a"], ["b"]) == [True, True]


def test_names_of_a_million_letters_take_no_longer_than_reading_them():
    """What grows with the square of a name's length would take the memory of the machine."""
    listed = [letter * 10**6 for letter in "ab"]
    names = [listed[0][1:], f"{listed[1]}x", f"{listed[1]}xx", "a" * 99]
    assert within_one_edit(names, listed) == [True, True, False, False]


def test_the_nearest_come_first_and_ties_in_the_order_of_the_list(lists):
    names, listed = lists
    for name in names[:11]:
        order = sorted(listed, key=lambda other: edits(name, other))
        assert nearest(name, listed, 5) == [Near(n, edits(name, n)) for n in order[:5]]
    assert nearest("a", []) == []
