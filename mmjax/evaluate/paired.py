"""Two models on the same names: the difference of their losses and its error."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer

from mmjax.data.vocab import BOUNDARY
from mmjax.errors import require
from mmjax.evaluate.losses import example_losses
from mmjax.model import Predictor

DRAWS = 2_000  # resampled lists


class Difference(NamedTuple):
    """The loss of one model minus that of another, in nats per character."""

    mean: float
    low: float
    """The lower end of the 95 % interval."""
    high: float


def name_losses(
    predictor: Predictor, tokens: Integer[np.ndarray, "tokens"]
) -> Float[np.ndarray, "names"]:
    """Return the negative log-likelihood of each name, with its end, in nats.

    `tokens` is a flat array as `corpus.encode` returns it.
    """
    if len(tokens) < 2:
        return np.zeros(0)
    name = np.cumsum(tokens[:-1] == BOUNDARY) - 1
    return np.bincount(name, example_losses(predictor, tokens))


def paired_difference(
    one: Predictor, other: Predictor, tokens: Integer[np.ndarray, "tokens"], *, seed: int = 0
) -> Difference:
    """Return how much higher the loss of `one` is than that of `other`.

    The interval is that of a bootstrap over names: lists of equal length are drawn from the names
    of `tokens`, with replacement. Both models are scored on the same names, so the difference has a
    much smaller error than either loss. Raises `InputError` if there is no name. Source: Efron and
    Tibshirani, An Introduction to the Bootstrap, chapter 13.
    """
    require(len(tokens) > 1, "there is no name to compare on; encode at least one")
    gaps = name_losses(one, tokens) - name_losses(other, tokens)
    sizes = np.diff(np.flatnonzero(tokens == BOUNDARY))
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(DRAWS):
        index = rng.integers(len(gaps), size=len(gaps))
        drawn.append(gaps[index].sum() / sizes[index].sum())
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    return Difference(float(gaps.sum() / sizes.sum()), low, high)
