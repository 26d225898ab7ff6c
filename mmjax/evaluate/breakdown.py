"""Losses in parts: by the position in the name, by the letter, and by the predicted probability."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Integer

from mmjax.data import corpus
from mmjax.errors import require
from mmjax.evaluate.losses import example_losses
from mmjax.evaluate.pieces import examples_of, pieces
from mmjax.model import Predictor
from mmjax.models import lookup


class Group(NamedTuple):
    """Some of the examples, and their mean loss in nats per character."""

    examples: int
    loss: float
    """NaN if there are no examples."""


class Bin(NamedTuple):
    """Predictions of about the same probability, and how often they came true."""

    predictions: int
    predicted: float
    """Mean of the predicted probabilities; NaN if there are none, like the next."""
    observed: float
    """Share of these predictions whose token came next."""


def by_position(predictor: Predictor, tokens: Integer[np.ndarray, "tokens"]) -> list[Group]:
    """Return the loss of the first character of the names, of the second, and so on.

    The end of a name counts as a character. `tokens` is a flat array as `corpus.encode` returns it.
    """
    return _groups(example_losses(predictor, tokens), corpus.letters_before(tokens))


def by_letter(predictor: Predictor, tokens: Integer[np.ndarray, "tokens"]) -> list[Group]:
    """Return the loss of the examples whose next token is 0, of those with 1, and so on."""
    losses = example_losses(predictor, tokens)
    return _groups(losses, tokens[1:].astype(np.int64), predictor.model.vocab_size)


def reliability(
    predictor: Predictor, tokens: Integer[np.ndarray, "tokens"], bins: int = 10
) -> list[Bin]:
    """Return predicted probabilities beside observed shares, in bins of equal width from 0 to 1.

    Every token is a prediction at every example. In a calibrated model both numbers of a bin agree,
    up to chance. Source: Guo et al., On Calibration of Modern Neural Networks
    (https://arxiv.org/abs/1706.04599), here for all tokens instead of the likeliest.

    Raises `InputError` if there is no bin.
    """
    require(bins >= 1, f"the predictions need at least 1 bin, not {bins}")
    predictor = lookup.for_many(predictor, len(tokens) - 1)
    sums = np.zeros((3, bins))
    for piece, size in pieces(tokens, predictor.model):
        probs, hits = (np.asarray(each)[:size].ravel() for each in _predictions(predictor, piece))
        index = np.minimum((probs * bins).astype(np.int64), bins - 1)
        for row, weights in zip(sums, (None, probs, hits), strict=True):
            row += np.bincount(index, weights, bins)
    with np.errstate(invalid="ignore"):
        counts, predicted, observed = sums[0], sums[1] / sums[0], sums[2] / sums[0]
    return [
        Bin(int(n), float(p), float(o)) for n, p, o in zip(counts, predicted, observed, strict=True)
    ]


def _groups(
    losses: np.ndarray, index: Integer[np.ndarray, "examples"], groups: int = 0
) -> list[Group]:
    examples = np.bincount(index, minlength=groups)
    sums = np.bincount(index, losses, minlength=groups)
    return [
        Group(int(n), float(total / n) if n else float("nan"))
        for n, total in zip(examples, sums, strict=True)
    ]


@jax.jit
def _predictions(predictor: Predictor, piece: Array) -> tuple[Array, Array]:
    """Return (probability of each token, whether it came next), both [examples, vocab]."""
    contexts, targets = examples_of(predictor, piece)
    probs = jax.nn.softmax(predictor.logits(contexts))
    tokens = jnp.arange(probs.shape[1], dtype=targets.dtype)
    return probs, tokens[None, :] == targets[:, None]
