"""Mixtures whose settings are chosen on names that their weights were not fitted on."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Integer

from mmjax.counting import fitting, newton
from mmjax.data import corpus
from mmjax.data.vocab import BOUNDARY
from mmjax.model import Predictor
from mmjax.models.mixture import mix

SPREADS = (0.03, 0.1, 0.3, 1.0)
MOST = 50_000  # examples to fit on; more take time and change nothing


class CrossFitted(NamedTuple):
    """A mixture, and its loss on names that its weights were not fitted on."""

    predictor: Predictor
    """The mixture with weights fitted on all of the tokens."""
    loss: float
    """Mean of the losses of two halves, each with weights fitted on the other, in nats per character."""


def geometric(
    predictors: Sequence[Predictor],
    tokens: Integer[np.ndarray, "tokens"],
    *,
    positions: Sequence[int],
    spreads: Sequence[float] = SPREADS,
) -> CrossFitted:
    """Return the geometric mixture whose number of positions and spread generalise best.

    Every second name fits the weights that the other names are scored with, and the other way
    round. `tokens` is a flat array that no component was trained on; at most 50,000 examples of it
    are used. Raises `InputError` as `counting.geometric` does.
    """
    tokens = tokens[: MOST + 1]
    logs = jnp.asarray(fitting.log_probs(predictors, tokens))
    letters = corpus.letters_before(tokens)
    targets = jnp.asarray(tokens[1:], jnp.int32)
    odd = np.cumsum(tokens[:-1] == BOUNDARY) % 2
    halves = [jnp.asarray(odd == i, logs.dtype) for i in (0, 1)]

    def score(count: int, spread: float) -> float:
        at = jnp.asarray(np.minimum(letters, count - 1), jnp.int32)
        total = 0.0
        for fit, held_out in (halves, halves[::-1]):
            weights = newton.fitted(logs, at, targets, fit, count, spread)
            mixed = mix("geometric", logs, weights[at])
            likelihood = jnp.take_along_axis(mixed, targets[:, None], axis=1)[:, 0]
            total -= float(jnp.vdot(held_out, likelihood))
        return total / len(targets)

    scores = {(count, spread): score(count, spread) for count in positions for spread in spreads}
    count, spread = min(scores, key=lambda pair: scores[pair])
    best = fitting.geometric(predictors, tokens, positions=count, spread=spread)
    return CrossFitted(best, scores[count, spread])
