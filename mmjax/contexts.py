"""The distinct contexts of a list, and what follows each: all of the list that a model of its block size can see.

The document's training part has 182,580 examples, but only 5,420 different contexts of three letters. A step that asks a context
for the whole distribution of the letters after it has the same gradient in the mean as one that asks for a single one of
them, without the noise of which one it happens to be (Rao and Blackwell's theorem).
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Integer

from mmjax import memory
from mmjax.corpus import BOUNDARY
from mmjax.errors import require

PIECE = 2**22  # examples of three letters looked at together, which bounds the memory
MAX_NUMBERS = 2**28  # distinct contexts times tokens: a gibibyte in float32


class Contexts(NamedTuple):
    """The different contexts of a list in ascending order, each with its frequency and what follows it."""

    contexts: Integer[Array, "distinct block_size"]
    ends: Int[Array, "distinct"]
    """How many examples have this context or one before it; the last is the number of all examples."""
    following: Float[Array, "distinct vocab"]
    """The distribution of the token after it."""


def collect(tokens: Integer[np.ndarray, "tokens"], vocab_size: int, block_size: int) -> Contexts:
    """The contexts of `block_size` tokens in a flat array of tokens.

    Raises `InputError` if there are so many that their distributions would not fit into a gibibyte, or so many
    examples that looking for them would take more memory than there is.
    """
    most = min(len(tokens), vocab_size ** min(block_size + 1, 8))
    memory.require_room(
        8 * most * (block_size + 8) * tokens.itemsize,
        f"looking for the distinct contexts of {block_size} characters",
        "use a smaller block_size, or train on the tokens themselves",
    )
    step = max(1, 4 * PIECE // (block_size + 1))
    counted = [
        _distinct(_rows(tokens, start, min(start + step, len(tokens) - 1), block_size))
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
        f"{distinct:,} distinct contexts of {block_size} characters are too many to keep what follows each; "
        "use a smaller block_size, or train on the tokens themselves",
    )
    following = np.zeros((distinct, vocab_size), np.float32)
    following[np.cumsum(first) - 1, targets] = counts
    frequency = np.add.reduceat(counts, np.flatnonzero(first))
    return Contexts(
        jnp.asarray(contexts[first]),
        jnp.asarray(np.cumsum(frequency), jnp.int32),
        jnp.asarray(following / frequency[:, None].astype(np.float32)),
    )


def _rows(tokens: np.ndarray, start: int, end: int, block_size: int) -> np.ndarray:
    """The examples from `start` to before `end`, as rows of a context and its target [n, block_size + 1]."""
    index = np.arange(start, end)
    rows = np.zeros((len(index), block_size + 1), tokens.dtype)
    rows[:, -1] = tokens[index + 1]
    in_name = np.ones(len(index), bool)
    for back in range(block_size):
        previous = tokens[np.maximum(index - back, 0)]
        in_name &= previous != BOUNDARY
        rows[in_name, -2 - back] = previous[in_name]
    return rows


def _distinct(rows: np.ndarray, counts: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The different rows in ascending order, and how often each is there or the sum of its counts."""
    # Read as numbers of 64 bits, which are sorted sooner than rows are.
    wide = rows.astype(rows.dtype.newbyteorder(">"))
    missing = -wide.strides[0] % 8 // wide.itemsize
    words = np.pad(wide, ((0, 0), (0, missing))).view(">u8").astype(np.uint64)
    words = words[:, 0] if words.shape[1] == 1 else words
    _, first, inverse = np.unique(words, return_index=True, return_inverse=True, axis=0)
    return rows[first], np.bincount(inverse.ravel(), counts).astype(np.int64)
