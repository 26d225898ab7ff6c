"""Tables of activations, gradients and weights, as in the lecture."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from mmjax.diagnostics.record import Inspection, activation_layers, activation_of
from mmjax.model import Model, layer_names, named


class Activation(NamedTuple):
    """The output of one activation layer."""

    layer: int
    name: str
    mean: float
    std: float
    saturation: float
    """Part of the outputs that pass on hardly any gradient, in percent."""
    saturation_error: float
    """Standard error of `saturation`, by its spread over the examples."""
    dead: int
    """Number of units that learn almost nothing, whatever the example."""
    normalised: bool = False
    """Whether the name of the layer before it ends in `.norm`."""
    units: int = 1
    """Number of units of the layer."""


class Gradient(NamedTuple):
    """The gradient of the loss with respect to the output of one activation layer."""

    layer: int
    name: str
    mean: float
    std: float


class WeightGradient(NamedTuple):
    """The gradient of one weight matrix.

    `ratio` is std(gradient) / std(weights), the lecture's grad:data.
    """

    name: str
    shape: tuple[int, ...]
    mean: float
    std: float
    ratio: float


def activations(model: Model, outputs: Mapping[str, Any]) -> list[Activation]:
    """Return a row of figures for every activation layer.

    `outputs` has each layer's output [batch, features] by the layer's name.
    """
    rows, names = [], layer_names(model)
    for layer, name in activation_layers(model):
        out = np.asarray(outputs[name])
        masks = saturated(name, out)
        dead = int(activation_of(name).dead(out).all(axis=0).sum())
        # Units of one example are not independent, so the standard error counts examples.
        percent, spread = _mean_std(100 * masks.mean(axis=1))
        error = spread / len(out) ** 0.5
        normalised = layer > 0 and names[layer - 1].endswith(".norm")
        figures = (*_mean_std(out), percent, error, dead, normalised, out.shape[-1])
        rows.append(Activation(layer, name, *figures))
    return rows


def saturated(
    layer: str, output: Float[ArrayLike, "batch features"]
) -> Bool[np.ndarray, "batch features"]:
    """Return which outputs of an activation layer pass on hardly any gradient."""
    return activation_of(layer).saturated(np.asarray(output))


def gradients(model: Model, inspection: Inspection) -> list[Gradient]:
    """Return a row for the gradient at every activation layer's output.

    A row has the mean and standard deviation.
    """
    return [
        Gradient(layer, name, *_mean_std(inspection.output_grads[name]))
        for layer, name in activation_layers(model)
    ]


def weight_gradients(params: Any, grads: Any) -> list[WeightGradient]:
    """Return a row for the gradient of every weight matrix.

    A row has the shape, the gradient's mean and standard deviation, and the ratio grad:data, which
    is infinite if all weights are the same (NaN if all gradients are, too).
    """
    rows = []
    for (name, weight), grad in zip(weights(params).items(), weights(grads).values(), strict=True):
        mean, std = _mean_std(grad)
        _, spread = _mean_std(weight)
        ratio = std / spread if spread else math.inf if std else math.nan
        rows.append(WeightGradient(name, weight.shape, mean, std, ratio))
    return rows


def norms(params: Any) -> dict[str, float]:
    """Return the Euclidean norm of every parameter by its name."""
    return {
        name: float(np.linalg.norm(np.asarray(leaf, np.float64)))
        for name, leaf in named(params).items()
    }


def update_ratios(params: Any, updates: Any) -> dict[str, Float[Array, ""]]:
    """Return log10(update / weights) for every weight matrix.

    It compares sizes; near -3 is healthy. Pass this function to `train.advance` as `observe`. The
    size is the root mean square about zero. The lecture takes the ratio of standard deviations,
    which costs twice as much here and differs in the third digit.
    """
    ratios = {}
    for (name, weight), update in zip(
        weights(params).items(), weights(updates).values(), strict=True
    ):
        ratios[name] = 0.5 * jnp.log10(_sum_of_squares(update) / _sum_of_squares(weight))
    return ratios


def update_sizes(params: Any, updates: Any) -> dict[str, Float[Array, ""]]:
    """Return log10 of the Euclidean norm of every weight matrix's update.

    Pass this function to `train.advance` as `observe`. It takes half the time of `update_ratios`;
    `metrics.update_ratios` compares it with the weights at the end of a chunk.
    """
    del params
    return {
        name: 0.5 * jnp.log10(_sum_of_squares(update)) for name, update in weights(updates).items()
    }


def _sum_of_squares(x: Float[Array, "rows columns"]) -> Float[Array, ""]:
    """Return the sum of squares, from ten independent sums.

    On a CPU this takes half the time of a single sum.
    """
    rows = len(x) // 10
    strands = [x[i * rows : (i + 1) * rows] for i in range(10)]
    together = jnp.sum(sum(jnp.square(strand) for strand in strands))
    return together + jnp.sum(jnp.square(x[10 * rows :]))


def weights(tree: Any) -> dict[str, Any]:
    """Return the leaves of a tree that have two axes, by their path.

    The embedding is one of them. For the paths see `model.named`.
    """
    return {name: leaf for name, leaf in named(tree).items() if leaf.ndim == 2}


def _mean_std(values: Any) -> tuple[float, float]:
    """Return the mean and standard deviation of a sample.

    The standard deviation of a single number is 0. Both are NaN if a value is not finite.
    """
    values = np.asarray(values, np.float64)
    if not np.isfinite(values).all():
        return math.nan, math.nan
    return float(values.mean()), float(values.std(ddof=min(1, values.size - 1)))
