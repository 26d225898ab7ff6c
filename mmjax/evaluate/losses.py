"""Losses of a model on tokens."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Integer

from mmjax.data import context_table
from mmjax.evaluate import distinct
from mmjax.evaluate.pieces import examples_of, pieces
from mmjax.model import Predictor
from mmjax.models import lookup

TOGETHER = 2**25  # numbers in the predictions of the examples that are scored at once


def loss(predictor: Predictor, tokens: Integer[np.ndarray, "tokens"]) -> float:
    """Return the mean negative log-likelihood of all examples of `tokens`.

    In nats per character; NaN if there are no examples.
    """
    if len(tokens) < 2:
        return math.nan
    predictor = lookup.for_many(predictor, len(tokens) - 1)
    total = sum(
        float(_nll_sum(predictor, piece, size)) for piece, size in pieces(tokens, predictor.model)
    )
    return total / (len(tokens) - 1)


def example_losses(
    predictor: Predictor, tokens: Integer[np.ndarray, "tokens"]
) -> Float[np.ndarray, "examples"]:
    """Return the negative log-likelihood of each example of `tokens`, in nats."""
    model, examples = predictor.model, len(tokens) - 1
    predictor = lookup.for_many(predictor, examples)
    most = max(1, TOGETHER // model.vocab_size)
    found = [np.zeros(0)]
    for start in range(0, examples, most):
        end = min(start + most, examples)
        rows = context_table.examples(tokens, model.block_size, start, end)
        log_probs, index = distinct.log_probs(predictor, rows[:, :-1])
        found.append(-log_probs[index, rows[:, -1]].astype(np.float64))
    return np.concatenate(found)


def perplexity(nll: float) -> float:
    """Return the perplexity, exp(nll).

    The next letter is as hard to guess as one of that many equally likely letters. It is infinite
    if exp(nll) overflows.
    """
    try:
        return math.exp(nll)
    except OverflowError:
        return math.inf


@jax.jit
def piece_nll(predictor: Predictor, piece: Array) -> Float[Array, "examples"]:
    """Return the negative log-likelihood of each example of a piece, in nats."""
    contexts, targets = examples_of(predictor, piece)
    return optax.softmax_cross_entropy_with_integer_labels(predictor.logits(contexts), targets)


@jax.jit
def _nll_sum(predictor: Predictor, piece: Array, size: int | Array) -> Array:
    nll = piece_nll(predictor, piece)
    return jnp.sum(nll, where=jnp.arange(len(nll)) < size)
