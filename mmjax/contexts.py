"""The distinct contexts of a list, and what follows each: all of the list that a model of its block size can see.

The document's training part has 182,580 examples, but only 5,420 different contexts of three letters. A step that asks a context
for the whole distribution of the letters after it has the same gradient in the mean as one that asks for a single one of
them, without the noise of which one it happens to be (Rao and Blackwell's theorem).
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Integer

from mmjax import corpus
from mmjax.corpus import BOUNDARY
from mmjax.errors import require

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

    Raises `InputError` if there are so many that their distributions would not fit into a gibibyte.
    """
    ranks = _ranks(tokens[:-1], vocab_size, block_size)
    _, first, ranks, count = np.unique(
        ranks, return_index=True, return_inverse=True, return_counts=True
    )
    require(
        len(count) * vocab_size <= MAX_NUMBERS,
        f"{len(count):,} distinct contexts of {block_size} characters are too many to keep what follows each; "
        "use a smaller block_size, or train on the tokens themselves",
    )
    pairs = ranks * vocab_size + tokens[1:]
    following = np.bincount(pairs, minlength=len(count) * vocab_size).reshape(-1, vocab_size)
    contexts, _ = corpus.windows(jnp.asarray(tokens), jnp.asarray(first), block_size)
    return Contexts(
        contexts,
        jnp.asarray(np.cumsum(count), jnp.int32),
        jnp.asarray(following / count[:, None], jnp.float32),
    )


def _ranks(tokens: np.ndarray, vocab_size: int, block_size: int) -> np.ndarray:
    """A number for the context that ends with each token: equal for equal contexts, greater for greater ones.

    Read as a number with vocab_size as its base; where that would not fit into 64 bits its place among those there are.
    """
    ranks = tokens.astype(np.int64)
    bound = vocab_size
    for _ in range(block_size - 1):
        if bound > 2**62 // vocab_size:
            ranks = np.unique(ranks, return_inverse=True)[1]
            bound = len(ranks)
        ranks = np.append(0, ranks[:-1]) * vocab_size + tokens
        ranks[tokens == BOUNDARY] = 0  # nothing before a boundary is seen
        bound *= vocab_size
    return ranks
