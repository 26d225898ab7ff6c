"""A probe: what a model predicts on examples that are read in several ways.

A model that was trained on targets shifted by one predicts shifted targets best. So the losses of
other readings of a list show how it was read in training.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

from mmjax.data import context_table
from mmjax.model import Predictor
from mmjax.train.step import cross_entropy

EXAMPLES = 8_192  # that a probe looks at, at most
ALONE = 7  # rows that are predicted by themselves, too

READINGS = {
    "as they are": "the next token after the context",
    "targets one later": "the token after the next one",
    "targets one earlier": "the newest token of the context itself",
    "contexts reversed": "contexts with the newest token first",
}


class Probe(NamedTuple):
    """Predictions on some examples."""

    losses: dict[str, float]
    """Loss of each reading in `READINGS`, in nats per character."""
    observed: Float[np.ndarray, "vocab"]
    """Share of each token among the targets."""
    predicted: Float[np.ndarray, "vocab"]
    """Mean probability of each token."""
    examples: int
    dependence: float
    """Largest difference between logits of a context in a batch and by itself; 0 up to rounding."""


def probe(predictor: Predictor, tokens: Integer[np.ndarray, "tokens"]) -> Probe | None:
    """Return the probe on flat `tokens`, or None if they have fewer than three examples.

    At most `EXAMPLES` are used, from the start of `tokens` on.
    """
    examples = min(len(tokens) - 2, EXAMPLES)
    if examples < 2:
        return None
    rows = context_table.examples(tokens, predictor.model.block_size, 0, examples)
    later = tokens[2 : examples + 2]
    losses, predicted, dependence = _probe(predictor, rows[:, :-1], rows[:, -1], later)
    observed = np.bincount(rows[:, -1], minlength=predictor.model.vocab_size) / examples
    values = [float(loss) for loss in losses]
    return Probe(
        dict(zip(READINGS, values, strict=True)),
        observed,
        np.asarray(predicted, np.float64),
        examples,
        float(dependence),
    )


@jax.jit
def _probe(
    predictor: Predictor, contexts: Array, targets: Array, later: Array
) -> tuple[list[Array], Array, Array]:
    logits = predictor.logits(contexts)
    other = predictor.logits(contexts[:, ::-1])
    alone = predictor.logits(contexts[:ALONE])
    losses = [
        cross_entropy(logits, targets),
        cross_entropy(logits, later),
        cross_entropy(logits, contexts[:, -1]),
        cross_entropy(other, targets),
    ]
    return losses, jax.nn.softmax(logits).mean(axis=0), jnp.abs(logits[:ALONE] - alone).max()
