"""Examples of a list in pieces of one shape.

They bound the memory, whatever the length of the list.
"""

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from mmjax.data import corpus
from mmjax.model import Model, Predictor

CHUNK = 8192  # examples in a piece at most, so that memory does not grow with the list
LOGITS = 2**25  # numbers in a piece's logits at most, which bounds them on a large alphabet


def chunk_size(model: Model) -> int:
    """Return how many examples of `model` a piece has."""
    return max(1, min(CHUNK, LOGITS // model.vocab_size))


def pieces(tokens: np.ndarray, model: Model) -> Iterator[tuple[np.ndarray, int]]:
    """Yield (tokens, number of examples that count) of each piece.

    All pieces have one shape, so that one compilation serves every split.
    """
    examples, chunk = len(tokens) - 1, chunk_size(model)
    before = model.block_size - 1
    padded = np.pad(tokens, (before, chunk))
    for start in range(0, examples, chunk):
        yield padded[start : start + before + chunk + 1], min(chunk, examples - start)


def examples_of(predictor: Predictor, piece: Array) -> tuple[Array, Array]:
    """Return (contexts [examples, block_size], targets [examples]) of a piece."""
    block_size = predictor.model.block_size
    return corpus.windows(piece, jnp.arange(block_size - 1, len(piece) - 1), block_size)
