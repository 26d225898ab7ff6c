"""Names that meet conditions, by rejection, for models that are no table of contexts."""

from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import Array

from mmjax.errors import require
from mmjax.generate.automaton import Automaton
from mmjax.generate.conditions import Conditions

DRAWS = 20_000  # draws per name found, at most


def accepted(
    batches: Iterable[tuple[Array, Array]], automaton: Automaton, conditions: Conditions
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the drawn (tokens, ended) of names that ended and meet the conditions.

    Raises `InputError` if fewer than one of `DRAWS` names meets them.
    """
    found = drawn = 0
    for tokens, ended in batches:
        rows = np.asarray(tokens)
        meets = automaton.accepts(rows) & np.asarray(ended)
        drawn, found = drawn + len(rows), found + int(meets.sum())
        require(
            drawn <= DRAWS * (found + 1),
            f"{found:,} of the last {drawn:,} draws {conditions}; loosen the conditions, or raise "
            "the temperature",
        )
        if meets.any():
            yield rows[meets], np.asarray(ended)[meets]
