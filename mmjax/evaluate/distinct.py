"""Predictions for many contexts, each distinct context computed once.

Names begin alike: a list of 65,536 names has 485,000 examples, but about 200,000 distinct contexts
of 15 letters and 9,000 of three.
"""

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Integer

from mmjax.data import context_table
from mmjax.evaluate.pieces import chunk_size
from mmjax.model import Predictor
from mmjax.models import mixture


def log_probs(
    predictor: Predictor, contexts: Integer[np.ndarray, "examples block_size"]
) -> tuple[Float[np.ndarray, "distinct vocab"], Int[np.ndarray, "examples"]]:
    """Return (log-probabilities of the next token, the row that belongs to each context).

    A component of a mixture is computed for its own distinct contexts, which may be shorter.
    """
    first, index = context_table.distinct(contexts)
    contexts = contexts[first]
    parts = [
        log_probs(part, contexts[:, -part.model.block_size :])
        for part in mixture.components(predictor)
    ]
    size = chunk_size(predictor.model)
    rows = []
    for start in range(0, len(contexts), size):
        piece = contexts[start : start + size]
        padding = (0, size - len(piece))  # so that all pieces have one shape
        chunk = np.pad(piece, (padding, (0, 0)))
        if parts:
            logs = [part[np.pad(row[start : start + size], padding)] for part, row in parts]
            found = mixture.mixed(predictor, chunk, np.stack(logs, axis=1))
        else:
            found = _log_probs(predictor, chunk)
        rows.append(np.asarray(found)[: len(piece)])
    return np.concatenate(rows), index


@jax.jit
def _log_probs(predictor: Predictor, contexts: Array) -> Array:
    return jax.nn.log_softmax(predictor.logits(contexts))
