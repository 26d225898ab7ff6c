"""How good a model is: its loss over whole splits, and whether it agrees with counting."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Integer

from mmjax import corpus, counts, lookup
from mmjax.model import Predictor

CHUNK = 8192  # examples looked at together, which bounds the memory whatever the list's size
MAX_KL = 0.1  # nats a letter by which the bigrams of a sound model may miss the list's


class CountCheck(NamedTuple):
    """How far a model's bigrams lie from the list's, in nats a letter: 0 is agreement."""

    kl_predicted: float
    """Of its mean predicted distribution after each letter of the list."""
    kl_sampled: float
    """Of the pairs in names sampled from it."""

    @property
    def passed(self) -> bool:
        """Whether both are below `MAX_KL`; a NaN is not."""
        return self.kl_predicted < MAX_KL and self.kl_sampled < MAX_KL


def loss(predictor: Predictor, tokens: Integer[np.ndarray, "tokens"]) -> float:
    """Mean negative log-likelihood over all examples of `tokens`, in nats; NaN if there is none."""
    if len(tokens) == 1:
        return math.nan
    predictor = lookup.for_many(predictor, len(tokens) - 1)
    total = sum(
        float(_nll_sum(predictor, piece, size))
        for piece, size in _pieces(tokens, predictor.model.block_size)
    )
    return total / (len(tokens) - 1)


def perplexity(nll: float) -> float:
    """exp(nll): among how many equally likely letters the next one would be as hard to guess."""
    try:
        return math.exp(nll)
    except OverflowError:
        return math.inf


def calibrate(predictor: Predictor, tokens: Integer[np.ndarray, "tokens"]) -> Predictor:
    """The same parameters with statistics recomputed: exact moments over all examples of `tokens`.

    One batch holds them all, as in the lecture's calibration after training, so that each layer's
    moments are taken behind layers that are normalised by theirs. That needs about
    8 * hidden_size bytes an example; for millions of them give a part of the list.
    """
    if not jax.tree.leaves(predictor.stats):
        return predictor
    model: Any = predictor.model
    whole = replace(predictor, model=replace(model, momentum=1.0))
    return replace(predictor, stats=_train_stats(whole, tokens))


def expected_bigrams(
    predictor: Predictor, tokens: Integer[np.ndarray, "tokens"]
) -> Float[np.ndarray, "vocab vocab"]:
    """Bigram counts that the model expects: for each previous token the sum of its predicted distributions.

    Divided by their row sums they are the mean predicted distribution after each token.
    """
    size = predictor.model.vocab_size
    predictor = lookup.for_many(predictor, len(tokens) - 1)
    total = np.zeros((size, size))
    for piece, examples in _pieces(tokens, predictor.model.block_size):
        total += np.asarray(_expected_sum(predictor, piece, examples))
    return total


def count_check(
    predictor: Predictor,
    tokens: Integer[np.ndarray, "tokens"],
    sampled: Integer[np.ndarray, "sampled"],
) -> CountCheck:
    """Hold the model against the bigram table of `tokens`, by its predictions there and by `sampled` names.

    Both are `counts.kl` from the list's table; the sampled pairs are smoothed by +1, since a pair
    that 20,000 names happen not to hold is no infinite error.
    """
    size = predictor.model.vocab_size
    table = counts.bigrams(tokens, size)
    return CountCheck(
        counts.kl(table, expected_bigrams(predictor, tokens)),
        counts.kl(table, counts.bigrams(sampled, size) + 1),
    )


def _pieces(tokens: np.ndarray, block_size: int) -> Iterator[tuple[np.ndarray, int]]:
    """Pieces of one shape, so that one compilation serves every split: (tokens, examples that count)."""
    examples = len(tokens) - 1
    before = block_size - 1
    padded = np.pad(tokens, (before, CHUNK))
    for start in range(0, examples, CHUNK):
        yield padded[start : start + before + CHUNK + 1], min(CHUNK, examples - start)


def _examples(predictor: Predictor, piece: Array) -> tuple[Array, Array]:
    block_size = predictor.model.block_size
    return corpus.windows(piece, jnp.arange(block_size - 1, len(piece) - 1), block_size)


@jax.jit
def _nll_sum(predictor: Predictor, piece: Array, size: int | Array) -> Array:
    contexts, targets = _examples(predictor, piece)
    nll = optax.softmax_cross_entropy_with_integer_labels(predictor.logits(contexts), targets)
    return jnp.sum(nll, where=jnp.arange(len(nll)) < size)


@jax.jit
def _expected_sum(predictor: Predictor, piece: Array, size: int | Array) -> Array:
    contexts, _ = _examples(predictor, piece)
    probs = jax.nn.softmax(predictor.logits(contexts))
    probs = jnp.where(jnp.arange(len(probs))[:, None] < size, probs, jnp.zeros_like(probs))
    return jax.ops.segment_sum(probs, contexts[:, -1], predictor.model.vocab_size)


@jax.jit
def _train_stats(predictor: Predictor, tokens: Array) -> Any:
    index = jnp.arange(len(tokens) - 1)
    contexts, _ = corpus.windows(tokens, index, predictor.model.block_size)
    _, stats = predictor.model.apply(predictor.params, predictor.stats, contexts, train=True)
    return stats
