"""Small machines that read a name letter by letter, one for each kind of condition."""

import re
from typing import Any, Protocol, runtime_checkable

SET = re.compile(r"\[(!?)([^]]+)\]|(.)", re.DOTALL)


@runtime_checkable
class Machine(Protocol):
    """A condition that reads a name letter by letter; None is its dead state."""

    letters: str
    """The letters that it tells apart from all others."""
    start: Any

    def step(self, state: Any, letter: str | None) -> Any:
        """Return the next state, or None; the letter None is one that is not in `letters`."""
        ...

    def accepts(self, state: Any) -> bool:
        """Return whether the name may end here."""
        ...


class Glob:
    """A pattern: `?` is a letter, `*` any number of them, `[abc]` and `[!abc]` are sets.

    Its state is a bit for each place in the pattern that the name may have come to.
    """

    def __init__(self, pattern: str):
        self.items: list[tuple[str, bool] | None] = []  # a set and whether it is left out; None: *
        for negated, letters, single in SET.findall(pattern):
            if single == "*":
                self.items.append(None)
            else:
                self.items.append(
                    ("", True) if single == "?" else (letters or single, negated > "")
                )
        self.letters = "".join(item[0] for item in self.items if item)
        self.start = self._closed(1)

    def step(self, state: int, letter: str | None) -> int | None:
        """Return the places after one more letter."""
        places = 0
        for i, item in enumerate(self.items):
            if state >> i & 1:
                if item is None:
                    places |= 1 << i
                elif (letter is not None and letter in item[0]) != item[1]:
                    places |= 2 << i
        return self._closed(places) if places else None

    def accepts(self, state: int) -> bool:
        """Return whether the whole pattern is read."""
        return bool(state >> len(self.items) & 1)

    def _closed(self, places: int) -> int:
        for i, item in enumerate(self.items):
            if item is None and places >> i & 1:
                # Whatever fits from an earlier place fits from here too.
                places = (places >> i | 2) << i
        return places


class Edits:
    """Names at most `edits` letters from one: inserted, deleted or replaced.

    Its state is a row of the table that computes Levenshtein's distance, cut above `edits`.
    """

    def __init__(self, name: str, edits: int):
        self.letters, self.most = name, edits
        self.start = tuple(min(i, edits + 1) for i in range(len(name) + 1))

    def step(self, state: tuple[int, ...], letter: str | None) -> tuple[int, ...] | None:
        """Return the row after one more letter."""
        row = [state[0] + 1]
        for i, known in enumerate(self.letters):
            row.append(min(state[i] + (known != letter), state[i + 1] + 1, row[-1] + 1))
        return tuple(min(d, self.most + 1) for d in row) if min(row) <= self.most else None

    def accepts(self, state: tuple[int, ...]) -> bool:
        """Return whether the distance is small enough."""
        return state[-1] <= self.most


class AtLeast:
    """Names of at least `length` letters."""

    letters, start = "", 0

    def __init__(self, length: int):
        self.length = length

    def step(self, state: int, letter: str | None) -> int:
        """Return the number of letters, counted up to the least length."""
        del letter
        return min(state + 1, self.length)

    def accepts(self, state: int) -> bool:
        """Return whether there are enough letters."""
        return state == self.length
