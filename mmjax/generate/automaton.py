"""Deterministic automata over tokens: conditions on a whole name as one table."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Integer

from mmjax.data.vocab import Vocab
from mmjax.errors import require
from mmjax.generate.machines import Machine

DEAD, START = 0, 1
MAX_STATES = 5_000
MAX_NUMBERS = 2**24  # in the table of next states


class Automaton(NamedTuple):
    """A deterministic automaton; it starts in state 1, and state 0 is dead.

    No accepting state can be reached from the dead state, and one can from every other.
    """

    next_state: Int[np.ndarray, "states vocab"]
    """The state after each token; the column of the boundary is dead."""
    accepting: Bool[np.ndarray, "states"]
    """Whether a name may end in each state."""

    def walk(self, tokens: Integer[np.ndarray, "letters"]) -> int:
        """Return the state after the letters of a name."""
        state = START
        for token in tokens:
            state = int(self.next_state[state, token])
        return state

    def accepts(self, tokens: Integer[np.ndarray, "batch length"]) -> Bool[np.ndarray, "batch"]:
        """Return which names, each padded with boundaries, are accepted."""
        state = np.full(len(tokens), START)
        for column in np.asarray(tokens).T:
            state = np.where(column > 0, self.next_state[state, column], state)
        return self.accepting[state]

    def lengths(self, state: int, most: int) -> tuple[int, int] | None:
        """Return the fewest and most letters to an accepting state, None if there is no way.

        Ways of more than `most` letters do not count.
        """
        at, found = np.array([state]), []
        for length in range(most + 1):
            if self.accepting[at].any():
                found.append(length)
            at = np.unique(self.next_state[at])
            at = at[at != DEAD]
            if not len(at):
                break
        return (found[0], found[-1]) if found else None


def product(machines: Sequence[Machine], vocab: Vocab) -> Automaton:
    """Return the automaton of the names that all machines accept.

    Only reachable states are built. Raises `InputError` if there are too many; `MAX_STATES` is the
    bound.
    """
    mentioned = {letter for machine in machines for letter in machine.letters}
    # The last column is for all letters that no machine tells apart.
    letters = [*sorted(mentioned & set(vocab.characters)), None]
    most = min(MAX_STATES, MAX_NUMBERS // vocab.size)
    states: list[tuple[Hashable, ...]] = [tuple(machine.start for machine in machines)]
    numbers, rows = {states[0]: START}, [[DEAD] * len(letters)]
    for state in states:  # grows while it is read
        rows.append([])
        for letter in letters:
            after = tuple(m.step(part, letter) for m, part in zip(machines, state, strict=True))
            if None in after:
                rows[-1].append(DEAD)
            else:
                if after not in numbers:
                    numbers[after] = len(numbers) + 1
                    states.append(after)
                rows[-1].append(numbers[after])
        require(
            len(states) < most,
            f"the conditions need an automaton of more than {most:,} states; give simpler ones: "
            "fewer edits, a shorter pattern or fewer letters",
        )
    accepting = [
        False,
        *(all(m.accepts(p) for m, p in zip(machines, s, strict=True)) for s in states),
    ]
    return _trimmed(np.array(rows, np.int32), np.array(accepting), vocab, letters)


def _trimmed(
    rows: np.ndarray, accepting: np.ndarray, vocab: Vocab, letters: Sequence[str | None]
) -> Automaton:
    """Make states dead from which none accepts, and give every token a column."""
    alive, before = accepting, 0
    while alive.sum() > before:
        before = alive.sum()
        alive = alive | alive[rows].any(axis=1)
    rows = np.where(alive[rows], rows, DEAD)
    column = {letter: i for i, letter in enumerate(letters)}
    columns = [column.get(letter, len(letters) - 1) for letter in vocab.characters]
    next_state = np.concatenate([np.zeros((len(rows), 1), np.int32), rows[:, columns]], axis=1)
    return Automaton(next_state, accepting)
