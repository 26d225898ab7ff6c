"""Weights of mixtures: linear by EM, geometric by Newton's method."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

from mmjax.counting import newton
from mmjax.data import corpus
from mmjax.data.windows import require_known
from mmjax.errors import require
from mmjax.evaluate.pieces import examples_of, pieces
from mmjax.io import memory
from mmjax.model import Predictor
from mmjax.models import lookup
from mmjax.models.mixture import Mixture, Params

EM_STEPS = 1_000
EM_GAIN = 1e-9  # EM ends when a step gains less than this many nats per character
SPREAD = 1.0  # standard deviation of the prior of a weight


def ensemble(predictors: Sequence[Predictor]) -> Predictor:
    """Return the mean of the predictors' probabilities: a linear mixture with equal weights."""
    count = len(predictors)
    return mixture("linear", predictors, np.full((1, count), 1 / max(1, count)))


def linear(predictors: Sequence[Predictor], tokens: Integer[np.ndarray, "tokens"]) -> Predictor:
    """Return the linear mixture that is likeliest on `tokens`.

    `tokens` is a flat array that no component was trained on. The weights come from expectation
    maximisation. Raises `InputError` if there is no example, no component, or the vocabularies
    differ.
    """
    logs = log_probs(predictors, tokens)
    rows = np.arange(len(logs))
    probs = np.exp(logs[rows, :, tokens[1:].astype(np.int64)].astype(np.float64))
    weights = np.full(len(predictors), 1 / len(predictors))
    before = -np.inf
    for _ in range(EM_STEPS):
        weights, likelihood = em_step(weights, probs)
        if likelihood - before < EM_GAIN:
            break
        before = likelihood
    return mixture("linear", predictors, weights[None, :])


def em_step(
    weights: Float[np.ndarray, "components"], probs: Float[np.ndarray, "examples components"]
) -> tuple[Float[np.ndarray, "components"], float]:
    """Return (better weights, mean log-likelihood of the weights before).

    `probs` are the probabilities of the examples' tokens. The new weight of a component is the mean
    probability that it produced an example.
    """
    joint = probs * weights
    # An example that no component can produce says nothing of the weights.
    total = np.maximum(joint.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    share = (joint / total).mean(axis=0)
    better = share / share.sum() if share.any() else weights
    return better, float(np.log(total).mean())


def geometric(
    predictors: Sequence[Predictor],
    tokens: Integer[np.ndarray, "tokens"],
    *,
    positions: int = 16,
    spread: float = SPREAD,
) -> Predictor:
    """Return the geometric mixture that is likeliest on `tokens`.

    `tokens` is a flat array that no component was trained on. The prior of each weight is normal,
    with the standard deviation `spread`, around the start: the best of equal weights and each
    component alone. It keeps the weights of positions with few examples near the start. Raises
    `InputError` as `linear` does.
    """
    logs = jnp.asarray(log_probs(predictors, tokens))
    at = jnp.asarray(np.minimum(corpus.letters_before(tokens), positions - 1), jnp.int32)
    targets = jnp.asarray(tokens[1:], jnp.int32)
    weight = jnp.ones(len(targets), logs.dtype)
    weights = newton.fitted(logs, at, targets, weight, positions, spread)
    return mixture("geometric", predictors, weights)


def log_probs(
    predictors: Sequence[Predictor], tokens: Integer[np.ndarray, "tokens"]
) -> Float[np.ndarray, "examples components vocab"]:
    """Return what every component predicts at every example of `tokens`.

    Raises `InputError` if there is no example, no component, or not enough memory.
    """
    model = Mixture(tuple(predictor.model for predictor in predictors))
    require(len(tokens) > 1, "there is no example to fit the weights on; encode at least one name")
    require_known(int(tokens.max()), model)
    examples = len(tokens) - 1
    numbers = examples * len(predictors) * model.vocab_size
    memory.require_room(
        *(6 * 4 * numbers, "the fit of a mixture"),
        "mix fewer models, or fit on fewer names",
    )
    columns = []
    for predictor in predictors:
        predictor = lookup.for_many(predictor, examples)
        parts = [
            np.asarray(_log_probs(predictor, piece))[:size]
            for piece, size in pieces(tokens, predictor.model)
        ]
        columns.append(np.concatenate(parts))
    return np.stack(columns, axis=1)


@jax.jit
def _log_probs(predictor: Predictor, piece: Array) -> Array:
    contexts, _ = examples_of(predictor, piece)
    return jax.nn.log_softmax(predictor.logits(contexts))


def mixture(kind: str, predictors: Sequence[Predictor], weights: np.ndarray | Array) -> Predictor:
    """Return the mixture of a kind with weights [positions, components]."""
    model = Mixture(tuple(predictor.model for predictor in predictors), kind, len(weights))
    params = tuple(predictor.params for predictor in predictors)
    stats = tuple(predictor.stats for predictor in predictors)
    return Predictor(model, Params(params, jnp.asarray(weights, jnp.result_type(float))), stats)
