"""Distinct contexts of a list, with frequencies and next-token distributions.

The lecture's training part has 182,580 examples, but only 5,420 distinct contexts of three letters.
A step that learns the whole distribution after a context has the same mean gradient as a step that
learns one next letter, without the noise of drawing that letter (Rao-Blackwell theorem).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Integer, PRNGKeyArray

from mmjax.data.corpus import BOUNDARY
from mmjax.data.dataset import Batch
from mmjax.errors import require
from mmjax.io import memory
from mmjax.model import Model

PIECE = 2**22  # examples processed at once for block_size 3; bounds the memory
MAX_NUMBERS = 2**28  # distinct contexts times vocabulary size: 1 GiB in float32


class ContextTable(NamedTuple):
    """The distinct contexts of a list, in ascending order.

    A step draws contexts by their frequency.
    """

    contexts: Integer[Array, "distinct block_size"]
    ends: Int[Array, "distinct"]
    """Number of examples with this context or an earlier one; the last entry counts all."""
    next_probs: Float[Array, "distinct vocab"]
    """Distribution of the token after each context."""

    def draw(self, key: PRNGKeyArray, batch_size: int) -> Int[Array, "batch"]:
        """Return the row numbers of `batch_size` random examples."""
        example = jax.random.randint(key, (batch_size,), 0, self.ends[-1])
        return jnp.searchsorted(self.ends, example, side="right")

    def batch(self, drawn: Int[Array, "batch"]) -> Batch:
        """Return the contexts of these rows and the distributions after them."""
        return Batch(self.contexts[drawn], self.next_probs[drawn])

    def require_fit(self, model: Model) -> None:
        """Raise `InputError` unless block size and vocabulary size are the model's."""
        block_size, vocab_size = self.contexts.shape[-1], self.next_probs.shape[-1]
        require(
            (block_size, vocab_size) == (model.block_size, model.vocab_size),
            f"the table has block_size {block_size} and vocab_size {vocab_size}, but the model has "
            f"{model.block_size} and {model.vocab_size}; collect it with the model's sizes",
        )


class AllContexts(NamedTuple):
    """A context table for full-batch training.

    Every step takes all rows, weighted by their frequency. So a step is gradient descent over the
    whole list, as the lecture trains its bigram.
    """

    table: ContextTable

    def draw(self, key: PRNGKeyArray, batch_size: int) -> tuple[()]:
        """Return an empty tuple, because nothing is random."""
        del key, batch_size
        return ()

    def batch(self, drawn: tuple[()]) -> Batch:
        """Return every context with its next-token distribution, weighted by frequency."""
        del drawn
        contexts, ends, next_probs = self.table
        frequency = jnp.diff(ends, prepend=jnp.zeros(1, ends.dtype)).astype(next_probs.dtype)
        return Batch(contexts, next_probs, frequency / frequency.sum())

    def require_fit(self, model: Model) -> None:
        """Raise `InputError` unless block size and vocabulary size are the model's."""
        self.table.require_fit(model)


def collect(
    tokens: Integer[np.ndarray, "tokens"], vocab_size: int, block_size: int
) -> ContextTable:
    """Return the table of the distinct contexts in `tokens`.

    `tokens` is a flat array; a context has `block_size` tokens. Raises `InputError` if there is no
    example, if the next-token distributions would not fit into 1 GiB, or if the search would take
    more memory than is available.
    """
    require(
        len(tokens) > 1,
        f"an array of {len(tokens)} tokens holds no example; encode at least one name",
    )
    most = min(len(tokens), vocab_size ** min(block_size + 1, 8))
    memory.require_room(
        8 * most * (block_size + 8) * tokens.itemsize,
        f"the search for the distinct contexts of {block_size} characters",
        "use a smaller block_size, or train on the tokens themselves",
    )
    step = max(1, 4 * PIECE // (block_size + 1))
    counted = [
        _distinct(examples(tokens, block_size, start, min(start + step, len(tokens) - 1)))
        for start in range(0, len(tokens) - 1, step)
    ]
    rows, counts = counted[0]
    if len(counted) > 1:
        rows, counts = _distinct(*map(np.concatenate, zip(*counted, strict=True)))
    contexts, targets = rows[:, :-1], rows[:, -1]
    first = np.append(True, (contexts[1:] != contexts[:-1]).any(axis=1))
    distinct = int(np.count_nonzero(first))
    require(
        distinct * vocab_size <= MAX_NUMBERS,
        f"{distinct:,} distinct contexts of {block_size} characters are too many to store what "
        "follows each; use a smaller block_size, or train on the tokens themselves",
    )
    next_probs = np.zeros((distinct, vocab_size), np.float32)
    next_probs[np.cumsum(first) - 1, targets] = counts
    frequency = np.add.reduceat(counts, np.flatnonzero(first))
    return ContextTable(
        jnp.asarray(contexts[first]),
        jnp.asarray(np.cumsum(frequency), jnp.int32),
        jnp.asarray(next_probs / frequency[:, None].astype(np.float32)),
    )


def weighted(
    contexts: Integer[np.ndarray, "distinct block_size"],
    weights: Float[np.ndarray, "distinct"],
    next_probs: Float[np.ndarray, "distinct vocab"],
) -> ContextTable:
    """Return a table whose contexts are drawn by any weights.

    The weights are rounded to 2**-30 of their sum; contexts that round to 0 are left out.
    """
    ends = np.round(2.0**30 * np.cumsum(weights) / np.sum(weights)).astype(np.int64)
    kept = np.diff(ends, prepend=0) > 0
    return ContextTable(
        jnp.asarray(contexts[kept]),
        jnp.asarray(ends[kept], jnp.int32),
        jnp.asarray(next_probs[kept], jnp.float32),
    )


def examples(
    tokens: Integer[np.ndarray, "tokens"], block_size: int, start: int = 0, end: int | None = None
) -> Integer[np.ndarray, "examples block_size_and_1"]:
    """Return examples of a flat array: the context, and the next token as the last column.

    They are those from `start` up to, but not including, `end`; by default all.
    """
    index = np.arange(start, len(tokens) - 1 if end is None else end)
    rows = np.zeros((len(index), block_size + 1), tokens.dtype)
    rows[:, -1] = tokens[index + 1]
    in_name = np.ones(len(index), bool)
    for back in range(block_size):
        previous = tokens[np.maximum(index - back, 0)]
        in_name &= previous != BOUNDARY
        rows[in_name, -2 - back] = previous[in_name]
    return rows


def distinct(
    rows: Integer[np.ndarray, "rows tokens"],
) -> tuple[Int[np.ndarray, "distinct"], Int[np.ndarray, "rows"]]:
    """Return (where each distinct row occurs first, the number of the distinct row of each row).

    The distinct rows are in ascending order.
    """
    base = int(rows.max(initial=0)) + 1
    code, largest = np.zeros(len(rows), np.int64), 0
    for column in rows.T:
        if largest >= (2**63 - base) // base:  # the next code might not fit into 64 bits
            values, code = np.unique(code, return_inverse=True)
            largest = len(values) - 1
        code = code * base + column
        largest = largest * base + base - 1
    _, first, index = np.unique(code, return_index=True, return_inverse=True)
    return first, index


def _distinct(rows: np.ndarray, counts: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct rows in ascending order, and the count of each.

    The count is the number of occurrences or, with `counts`, the sum of their counts.
    """
    first, index = distinct(rows)
    return rows[first], np.bincount(index, counts).astype(np.int64)
