"""Conditions on a name: its begin, its end, its length, a pattern."""

import re
from dataclasses import dataclass

import numpy as np

from mmjax.data import vocab as vocabulary
from mmjax.data.vocab import Vocab
from mmjax.errors import require, require_ranges
from mmjax.generate.automaton import DEAD, START, Automaton, product
from mmjax.generate.machines import AtLeast, Edits, Glob, Machine

MAX_LENGTH = 10_000
MAX_EDITS = 9


@dataclass(frozen=True)
class Conditions:
    """Conditions on a name; a name has to meet all of them, and it has to end by itself.

    Raises `InputError` if a number is out of range or the lengths exclude each other.
    """

    prefix: str = ""
    """It begins with these letters."""
    suffix: str = ""
    """It ends with these letters."""
    contains: str = ""
    """It has these letters somewhere, one after the other."""
    pattern: str = ""
    """It is as this pattern: `?` is a letter, `*` any number of letters, `[abc]` one of these
    letters, `[!abc]` any other letter, and everything else stands for itself."""
    min_length: int = 0
    """It has at least this many letters."""
    max_length: int | None = None
    """It has at most this many letters."""
    like: str = ""
    """It is near this name, which may have any letters."""
    edits: int = 2
    """Letters that may be inserted, deleted or replaced to get the name of `like`."""

    def __post_init__(self):
        require_ranges(self, min_length=(0, MAX_LENGTH), edits=(0, MAX_EDITS))
        if self.max_length is not None:
            require_ranges(self, max_length=(1, MAX_LENGTH))
            require(
                self.min_length <= self.max_length,
                f"no name has at least {self.min_length} letters and at most {self.max_length}; "
                "change min_length or max_length",
            )

    def __str__(self) -> str:
        """Return what names do that meet the conditions, such as "end with 'son'"."""
        said = {
            f"begin with {self.prefix!r}": self.prefix,
            f"end with {self.suffix!r}": self.suffix,
            f"contain {self.contains!r}": self.contains,
            f"match {self.pattern!r}": self.pattern,
            f"are at most {self.edits} edit{'s' * (self.edits != 1)} from {self.like!r}": self.like,
            f"have at least {self.min_length} letters": self.min_length > 1,
            f"have at most {self.max_length} letters": self.max_length is not None,
        }
        return " and ".join(text for text, given in said.items() if given) or "are not empty"


def automaton(conditions: Conditions, vocab: Vocab) -> Automaton:
    """Return the automaton of the names that meet the conditions, `max_length` left out.

    Raises `InputError` if a letter is not in the vocabulary, if the automaton is too large, or if
    no name at all meets the conditions.
    """
    unclosed = "[" in re.sub(r"\[!?[^]]+\]", "", conditions.pattern)
    require(
        not unclosed,
        f"the pattern {conditions.pattern!r} has a [ without its ]; write [[] for the character [",
    )
    literal = re.sub(r"\[!?([^]]+)\]|[?*]", r"\1", conditions.pattern)
    for text in (conditions.prefix, conditions.suffix, conditions.contains, literal):
        vocabulary.encode(vocab, text)  # raises, and names the letter
    machines: list[Machine] = [AtLeast(conditions.min_length)] * (conditions.min_length > 0)
    machines += [Glob(glob) for glob in _globs(conditions)]
    if conditions.like:
        machines.append(Edits(conditions.like, conditions.edits))
    found = product(machines, vocab)
    possible = found.accepting[START] or found.next_state[START].any()
    require(bool(possible), impossible(conditions))
    return found


def impossible(conditions: Conditions, most: int | None = None) -> str:
    """Return the message that no name meets the conditions, or none of at most `most` letters."""
    of = "" if most is None else f" of at most {most:,} letters"
    return f"there is no name{of} for all conditions: {conditions}; leave one out or change it"


def span(
    conditions: Conditions, found: Automaton, prefix: np.ndarray, max_length: int
) -> tuple[int, int]:
    """Return (state after the prefix, most letters of a name that meets the conditions).

    A name has at most `max_length` letters. Raises `InputError` if there is no such name.
    """
    most = min(max_length, conditions.max_length or max_length)
    state = found.walk(prefix)
    lengths = None if state == DEAD else found.lengths(state, most - len(prefix))
    require(lengths is not None, impossible(conditions, most))
    return state, len(prefix) + (lengths or (0, 0))[1]


def _globs(conditions: Conditions) -> list[str]:
    prefix, suffix, contains = (
        re.sub(r"([?*\[])", r"[\1]", text)
        for text in (conditions.prefix, conditions.suffix, conditions.contains)
    )
    return [
        *([f"{prefix}*"] * (prefix > "")),
        *([f"*{suffix}"] * (suffix > "")),
        *([f"*{contains}*"] * (contains > "")),
        *([conditions.pattern] * (conditions.pattern > "")),
    ]
