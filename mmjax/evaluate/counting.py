"""The check of a model against counting."""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

from mmjax import counts
from mmjax.evaluate.pieces import examples_of, pieces
from mmjax.model import Predictor
from mmjax.models import lookup

MAX_KL = 0.1  # nats per character; the largest KL of a sound model's bigrams from the list's


class CountCheck(NamedTuple):
    """Kullback-Leibler divergences KL(list ‖ model) of bigrams.

    They are in nats per character.
    """

    kl_predicted: float
    """Divergence of the mean distribution that the model predicts after each letter of the list."""
    kl_sampled: float
    """Divergence of the pairs in names sampled from the model."""
    kl_reference: float
    """The divergence of an equally large sample of pairs drawn from the list's own table: it estimates the noise in
    `kl_sampled`."""
    kl_val: float
    """Divergence of the predictions on validation names from the table of those names; it is
    reported, and `passed` does not depend on it."""

    @property
    def passed(self) -> bool:
        """Return whether the model agrees with counting.

        `kl_predicted` must be below `MAX_KL`. `kl_sampled` may exceed `MAX_KL` by `kl_reference`,
        since even a perfect model's sample misses pairs of a sparse table. A NaN does not pass.
        """
        return self.kl_predicted < MAX_KL and self.kl_sampled < MAX_KL + self.kl_reference


def count_check(
    predictor: Predictor,
    tokens: Integer[np.ndarray, "tokens"],
    sampled: Integer[np.ndarray, "sampled"],
    validation: Integer[np.ndarray, "validation"],
) -> CountCheck:
    """Compare the model's bigrams with those of `tokens`.

    The model's bigrams come from its predictions and from the names in `sampled`. A model that has
    learned the list reproduces its letter pairs, whatever else it has learned. Each value is a
    KL(list ‖ model), as `counts.kl` computes it. One is added to every count of the sampled pairs,
    so that a pair that is missing by chance does not give an infinite divergence.
    """
    size = predictor.model.vocab_size
    pairs = counts.pairs(tokens, size)
    frequencies = pairs.counts / max(1, pairs.counts.sum())
    drawn = np.random.default_rng(0).multinomial(len(sampled) - 1, frequencies)
    return CountCheck(
        _predicted_kl(predictor, tokens, pairs),
        counts.pair_kl(pairs, counts.pairs(sampled, size), smoothing=1),
        counts.pair_kl(pairs, pairs._replace(counts=drawn), smoothing=1),
        _predicted_kl(predictor, validation, counts.pairs(validation, size)),
    )


def _predicted_kl(predictor: Predictor, tokens: np.ndarray, pairs: counts.Pairs) -> float:
    """Return the KL divergence of the model's expected bigrams from `pairs`.

    `pairs` are those of `tokens`. It needs no table of the expected bigrams.
    """
    expected, totals = np.zeros(len(pairs.counts)), np.zeros(pairs.vocab_size)
    for rows, sums in _expected_rows(predictor, tokens):
        totals[rows] += sums.sum(axis=1, dtype=np.float64)
        at, here = counts.find(rows, pairs.previous)
        expected[here] += sums[at[here], pairs.following[here]]
    with np.errstate(divide="ignore", invalid="ignore"):
        log_probs = np.log(expected / totals[pairs.previous])
        nll = float(-(pairs.counts * log_probs).sum() / pairs.counts.sum())
    return nll - counts.pair_nll(pairs, pairs)


def expected_bigrams(
    predictor: Predictor,
    tokens: Integer[np.ndarray, "tokens"],
    previous: Integer[np.ndarray, "rows"] | None = None,
) -> Float[np.ndarray, "rows vocab"]:
    """Return the bigram counts that the model expects.

    There is one row for each of the `previous` tokens, by default all. A row is the sum of the
    distributions predicted after its token; divided by its own sum, it is their mean.
    """
    size = predictor.model.vocab_size
    previous = np.arange(size) if previous is None else previous
    total = np.zeros((len(previous), size))
    for rows, sums in _expected_rows(predictor, tokens):
        at, here = counts.find(rows, previous)
        total[here] += sums[at[here]]
    return total


def _expected_rows(
    predictor: Predictor, tokens: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield previous tokens and their summed predictions, piece by piece.

    The tokens are [rows], the sums of the distributions predicted after them [rows, vocab].
    """
    predictor = lookup.for_many(predictor, len(tokens) - 1)
    before = predictor.model.block_size - 1
    for piece, examples in pieces(tokens, predictor.model):
        rows, rank = np.unique(piece[before:-1], return_inverse=True)
        yield rows, np.asarray(_expected_sum(predictor, piece, rank, examples))[: len(rows)]


@jax.jit
def _expected_sum(predictor: Predictor, piece: Array, rank: Array, size: int | Array) -> Array:
    contexts, _ = examples_of(predictor, piece)
    probs = jax.nn.softmax(predictor.logits(contexts))
    probs = jnp.where(jnp.arange(len(probs))[:, None] < size, probs, jnp.zeros_like(probs))
    return jax.ops.segment_sum(probs, rank, min(len(probs), predictor.model.vocab_size))
