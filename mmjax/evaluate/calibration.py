"""Recalibration: BatchNorm's statistics over a whole list."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Integer

from mmjax.diagnostics.record import record
from mmjax.errors import require
from mmjax.evaluate.pieces import examples_of, pieces
from mmjax.model import Predictor, layer_names
from mmjax.models.layers import Moments


def calibrate(predictor: Predictor, tokens: Integer[np.ndarray, "tokens"]) -> Predictor:
    """Return the predictor with its statistics measured over `tokens`.

    The parameters stay the same; the statistics become the exact moments of all examples of
    `tokens`. It works layer by layer, since the moments of a layer depend on the layers before it,
    and in pieces, so that memory does not grow with the list.

    Your own model must keep its statistics as `layers.Moments` and tap the input and then the
    output of each normalisation. For statistics at `stats.hidden[0]`, that is:

        x = tap("hidden.0.linear", linear(params.hidden[0].linear, x))
        x, running = batch_norm(params.hidden[0].norm, stats.hidden[0], x, train=train)
        x = tap("hidden.0.norm", x)

    Raises `InputError` if the model breaks this rule, or if there are fewer than two examples.
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
            f"forward pass must tap the input of their normalisation, and its output as {tap!r}",
        )
    found = [moments for _, moments in places]
    for i in sorted(range(len(taps)), key=lambda i: names.index(taps[i])):
        before = names[names.index(taps[i]) - 1]
        new = _moments(replace(predictor, stats=tree.unflatten(found)), tokens, before)
        found[i] = Moments(*(jnp.asarray(n, o.dtype) for n, o in zip(new, found[i], strict=True)))
    return replace(predictor, stats=tree.unflatten(found))


def _moments(predictor: Predictor, tokens: np.ndarray, layer: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and variance of a layer's output over all examples.

    The moments of the pieces are merged in float64: Chan, Golub and LeVeque, Updating Formulae and
    a Pairwise Algorithm for Computing Sample Variances (Stanford, STAN-CS-79-773).
    """
    count, mean, squares = 0, np.zeros(()), np.zeros(())
    for piece, size in pieces(tokens, predictor.model):
        new = [np.asarray(x, np.float64) for x in _piece_moments(predictor, piece, size, layer)]
        offset = new[0] - mean
        squares = squares + new[1] + offset**2 * (count * size / (count + size))
        count += size
        mean = mean + offset * (size / count)
    return mean, squares / (count - 1)


@partial(jax.jit, static_argnames="layer")
def _piece_moments(
    predictor: Predictor, piece: Array, size: int | Array, layer: str
) -> tuple[Array, Array]:
    """Return the mean and the sum of squared deviations of a layer's output.

    They are over the first `size` examples of a piece, in evaluation mode.
    """
    contexts, _ = examples_of(predictor, piece)
    model, params, stats = predictor.model, predictor.params, predictor.stats
    x = record(model, params, stats, contexts, train=False)[1][layer]
    counted = (jnp.arange(len(x)) < size)[:, None]
    mean = jnp.mean(x, axis=0, where=counted)
    return mean, jnp.sum(jnp.square(x - mean[None, :]), axis=0, where=counted)
