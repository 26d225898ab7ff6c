"""Evaluation: losses, the check against counting, recalibration."""

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Integer

from mmjax import corpus, counts, lookup
from mmjax.diagnostics.record import record
from mmjax.errors import require
from mmjax.layers import Moments
from mmjax.model import Model, Predictor, layer_names

CHUNK = 8192  # examples looked at together, which bounds the memory whatever the list's size
LOGITS = 2**25  # numbers that a layer of logits has at most, which bounds it on a large alphabet
MAX_KL = 0.1  # nats per character; the largest KL of a sound model's bigrams from the list's


class CountCheck(NamedTuple):
    """Kullback-Leibler divergences of a model's bigrams from the list's, in nats per character."""

    kl_predicted: float
    """Of its mean predicted distribution after each letter of the list."""
    kl_sampled: float
    """Of the pairs in names sampled from it."""
    kl_reference: float
    """Of as many pairs drawn from the list's own table: the noise in `kl_sampled`."""
    kl_val: float
    """Of its predictions on validation names from their table; reported, not judged."""

    @property
    def passed(self) -> bool:
        """Return whether the model agrees with counting; with a NaN it does not.

        `kl_predicted` must lie below `MAX_KL`. `kl_sampled` may exceed that by `kl_reference`, since
        a sample misses pairs of a sparse table however good the model is.
        """
        return self.kl_predicted < MAX_KL and self.kl_sampled < MAX_KL + self.kl_reference


def loss(predictor: Predictor, tokens: Integer[np.ndarray, "tokens"]) -> float:
    """Mean negative log-likelihood over all examples of `tokens`, in nats; NaN if there is none."""
    if len(tokens) == 1:
        return math.nan
    predictor = lookup.for_many(predictor, len(tokens) - 1)
    total = sum(
        float(_nll_sum(predictor, piece, size)) for piece, size in _pieces(tokens, predictor.model)
    )
    return total / (len(tokens) - 1)


def perplexity(nll: float) -> float:
    """exp(nll): among how many equally likely letters the next one would be as hard to guess."""
    try:
        return math.exp(nll)
    except OverflowError:
        return math.inf


def calibrate(predictor: Predictor, tokens: Integer[np.ndarray, "tokens"]) -> Predictor:
    """Return the same parameters with the exact moments of all examples of `tokens` as statistics.

    It works layer by layer, since the moments of a layer depend on the layers before it, and in
    pieces, so that memory does not grow with the list. A model of your own must keep its statistics
    as `layers.Moments`, and tap the input and then the output of each normalisation: the moments at
    `a.b` belong to the tap `a.b.norm`. Raises `InputError` if it does not, or if there are fewer than
    two examples.
    """
    model, stats = predictor.model, predictor.stats
    places, tree = jax.tree.flatten_with_path(stats, is_leaf=lambda x: isinstance(x, Moments))
    if not places:
        return predictor
    require(len(tokens) > 2, "recalibration needs at least two examples; give a longer list")
    names = layer_names(model)
    taps = [f"{jax.tree_util.keystr(at, simple=True, separator='.')}.norm" for at, _ in places]
    for tap, (_, moments) in zip(taps, places, strict=True):
        require(
            isinstance(moments, Moments) and tap in names[1:],
            f"cannot recalibrate the {type(model).__name__}: its statistics must be layers.Moments, and its "
            f"forward pass must tap what enters their normalisation, and what leaves it as {tap!r}",
        )
    found = [moments for _, moments in places]
    for i in sorted(range(len(taps)), key=lambda i: names.index(taps[i])):
        before = names[names.index(taps[i]) - 1]
        new = _moments(replace(predictor, stats=tree.unflatten(found)), tokens, before)
        found[i] = Moments(*(jnp.asarray(n, o.dtype) for n, o in zip(new, found[i], strict=True)))
    return replace(predictor, stats=tree.unflatten(found))


def _moments(predictor: Predictor, tokens: np.ndarray, layer: str) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance of a layer's output over all examples, merged from pieces in float64.

    Chan, Golub and LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample
    Variances (Stanford, STAN-CS-79-773).
    """
    count, mean, squares = 0, np.zeros(()), np.zeros(())
    for piece, size in _pieces(tokens, predictor.model):
        new = [np.asarray(x, np.float64) for x in _piece_moments(predictor, piece, size, layer)]
        offset = new[0] - mean
        squares = squares + new[1] + offset**2 * (count * size / (count + size))
        count += size
        mean = mean + offset * (size / count)
    return mean, squares / (count - 1)


def expected_bigrams(
    predictor: Predictor,
    tokens: Integer[np.ndarray, "tokens"],
    previous: Integer[np.ndarray, "rows"] | None = None,
) -> Float[np.ndarray, "rows vocab"]:
    """Return the bigram counts that the model expects, in rows for the `previous` tokens, by default all.

    A row is the sum of the distributions predicted after its token; divided by its own sum it is
    their mean.
    """
    size = predictor.model.vocab_size
    previous = np.arange(size) if previous is None else previous
    total = np.zeros((len(previous), size))
    for rows, sums in _expected_rows(predictor, tokens):
        at, here = counts.find(rows, previous)
        total[here] += sums[at[here]]
    return total


def count_check(
    predictor: Predictor,
    tokens: Integer[np.ndarray, "tokens"],
    sampled: Integer[np.ndarray, "sampled"],
    validation: Integer[np.ndarray, "validation"],
) -> CountCheck:
    """Hold the model against the bigrams of `tokens`, by its predictions and `sampled` names.

    All are KL divergences from a list's pairs, as in `counts.kl`; the sampled pairs are smoothed by
    +1, since a pair that 20,000 names happen not to hold is no infinite error.
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
    """Return the KL from the `pairs` of `tokens` to the model's expected bigrams, without their table."""
    expected, totals = np.zeros(len(pairs.counts)), np.zeros(pairs.vocab_size)
    for rows, sums in _expected_rows(predictor, tokens):
        totals[rows] += sums.sum(axis=1, dtype=np.float64)
        at, here = counts.find(rows, pairs.previous)
        expected[here] += sums[at[here], pairs.following[here]]
    with np.errstate(divide="ignore", invalid="ignore"):
        log_probs = np.log(expected / totals[pairs.previous])
        nll = float(-(pairs.counts * log_probs).sum() / pairs.counts.sum())
    return nll - counts.pair_nll(pairs, pairs)


def chunk_size(model: Model) -> int:
    """Return how many examples of `model` are looked at together."""
    return max(1, min(CHUNK, LOGITS // model.vocab_size))


def _pieces(tokens: np.ndarray, model: Model) -> Iterator[tuple[np.ndarray, int]]:
    """Pieces of one shape, so that one compilation serves every split: (tokens, examples that count)."""
    examples, chunk = len(tokens) - 1, chunk_size(model)
    before = model.block_size - 1
    padded = np.pad(tokens, (before, chunk))
    for start in range(0, examples, chunk):
        yield padded[start : start + before + chunk + 1], min(chunk, examples - start)


def _expected_rows(
    predictor: Predictor, tokens: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield previous tokens [rows], and their sums of predicted distributions [rows, vocab], piece by piece."""
    predictor = lookup.for_many(predictor, len(tokens) - 1)
    before = predictor.model.block_size - 1
    for piece, examples in _pieces(tokens, predictor.model):
        rows, rank = np.unique(piece[before:-1], return_inverse=True)
        yield rows, np.asarray(_expected_sum(predictor, piece, rank, examples))[: len(rows)]


def _examples(predictor: Predictor, piece: Array) -> tuple[Array, Array]:
    block_size = predictor.model.block_size
    return corpus.windows(piece, jnp.arange(block_size - 1, len(piece) - 1), block_size)


@jax.jit
def _nll_sum(predictor: Predictor, piece: Array, size: int | Array) -> Array:
    contexts, targets = _examples(predictor, piece)
    nll = optax.softmax_cross_entropy_with_integer_labels(predictor.logits(contexts), targets)
    return jnp.sum(nll, where=jnp.arange(len(nll)) < size)


@jax.jit
def _expected_sum(predictor: Predictor, piece: Array, rank: Array, size: int | Array) -> Array:
    contexts, _ = _examples(predictor, piece)
    probs = jax.nn.softmax(predictor.logits(contexts))
    probs = jnp.where(jnp.arange(len(probs))[:, None] < size, probs, jnp.zeros_like(probs))
    return jax.ops.segment_sum(probs, rank, min(len(probs), predictor.model.vocab_size))


@partial(jax.jit, static_argnames="layer")
def _piece_moments(
    predictor: Predictor, piece: Array, size: int | Array, layer: str
) -> tuple[Array, Array]:
    """Return mean and sum of squared deviations of a layer's output, in evaluation."""
    contexts, _ = _examples(predictor, piece)
    model, params, stats = predictor.model, predictor.params, predictor.stats
    x = record(model, params, stats, contexts, train=False)[1][layer]
    counted = (jnp.arange(len(x)) < size)[:, None]
    mean = jnp.mean(x, axis=0, where=counted)
    return mean, jnp.sum(jnp.square(x - mean[None, :]), axis=0, where=counted)
