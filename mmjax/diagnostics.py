"""Diagnostics: activations, gradients, update ratios and findings.

Everything is seen through the model's own forward pass and its `tap`, so any model can be inspected
that taps its layers. Layers are numbered as in the lecture. `health` turns the figures into findings.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Integer

from mmjax import train
from mmjax.data import Batch
from mmjax.model import Model, layer_names, named

SATURATED = 0.97  # |tanh| beyond which hardly any gradient passes
DEAD = 0.99  # |tanh| beyond which, on every example, a unit learns nothing
MAX_SATURATION = 15.0  # percent; the lecture's retelling: "should stay below 10-15%"
MAX_GRADIENT_SPREAD = 10.0  # std at the first tanh layer over that at the last, or the inverse
UPDATE_RATIOS = (-4.5, -1.5)  # log10: a factor of 30 to each side of the lecture's 1e-3
MIN_LEARNED = 0.1  # nats below the first loss
MAX_RISE = 0.5  # nats above the first loss
MAX_GAP = 0.15  # nats between validation and training


class Inspection(NamedTuple):
    """One batch seen from inside: raw arrays, by layer and by parameter."""

    loss: Float[Array, ""]
    outputs: dict[str, Float[Array, "batch features"]]
    output_grads: dict[str, Float[Array, "batch features"]]
    grads: Any


class Activation(NamedTuple):
    """The output of one tanh layer."""

    layer: int
    name: str
    mean: float
    std: float
    saturation: float
    """Part of the outputs beyond `SATURATED`, in percent."""
    saturation_error: float
    """Standard error of `saturation`, by its spread over the examples."""
    dead: int
    """Units beyond `DEAD` on every example."""


class Gradient(NamedTuple):
    """The gradient of the loss with respect to the output of one tanh layer."""

    layer: int
    name: str
    mean: float
    std: float


class WeightGradient(NamedTuple):
    """The gradient of one weight matrix; `ratio` is its std over that of the weights (grad:data)."""

    name: str
    shape: tuple[int, ...]
    mean: float
    std: float
    ratio: float


class Finding(NamedTuple):
    """What is wrong, where, the figure against its threshold, and what to try."""

    symptom: str
    where: str
    figure: float
    threshold: float
    remedy: str
    unit: str = ""
    """What stands behind the figure and the threshold, " %" or " nats"."""


def record(
    model: Model, params: Any, stats: Any, contexts: Integer[Array, "batch block_size"]
) -> tuple[Float[Array, "batch vocab"], dict[str, Array]]:
    """Return (logits, the output of every layer by its name) for a training batch."""
    outputs: dict[str, Array] = {}

    def tap(name: str, x: Array) -> Array:
        outputs[name] = x
        return x

    logits, _ = model.apply(params, stats, contexts, train=True, tap=tap)
    return logits, outputs


def outputs(
    model: Model, params: Any, stats: Any, contexts: Integer[Array, "batch block_size"]
) -> dict[str, Float[Array, "batch features"]]:
    """Return the output of each tanh layer for a training batch, by its name."""
    _, outputs = record(model, params, stats, contexts)
    return {name: outputs[name] for _, name in _tanh_layers(model)}


def inspect(
    model: Model,
    params: Any,
    stats: Any,
    batch: Batch,
) -> Inspection:
    """Return a training batch's loss, every layer's output, and all gradients.

    The gradient of an output, which PyTorch calls `retain_grad`, is the gradient of zeros that the
    tap adds to it.
    """

    def loss(params: Any, perturbations: Any) -> tuple[Array, dict[str, Array]]:
        outputs: dict[str, Array] = {}

        def tap(name: str, x: Array) -> Array:
            outputs[name] = x + perturbations[name]
            return outputs[name]

        logits, _ = model.apply(params, stats, batch.contexts, train=True, tap=tap)
        return train.cross_entropy(logits, batch.targets, batch.weights), outputs

    shapes = jax.eval_shape(lambda: record(model, params, stats, batch.contexts)[1])
    zeros = {name: jnp.zeros(out.shape, out.dtype) for name, out in shapes.items()}
    (value, outputs), (grads, output_grads) = jax.value_and_grad(loss, (0, 1), has_aux=True)(
        params, zeros
    )
    return Inspection(value, outputs, output_grads, grads)


def activations(model: Model, outputs: Mapping[str, Any]) -> list[Activation]:
    """Return a row of figures of every tanh layer, by its `outputs` [batch, features]."""
    rows = []
    for layer, name in _tanh_layers(model):
        out = np.asarray(outputs[name])
        dead = int((abs(out) > DEAD).all(axis=0).sum())
        # Units of one example are not independent, so the examples are what is counted.
        _, spread = _mean_std((abs(out) > SATURATED).mean(axis=1))
        error = 100 * spread / len(out) ** 0.5
        rows.append(Activation(layer, name, *_mean_std(out), saturation(out), error, dead))
    return rows


def saturation(output: Float[ArrayLike, "batch features"]) -> float:
    """The part of a tanh layer's output beyond `SATURATED`, in percent."""
    return 100 * float((abs(np.asarray(output)) > SATURATED).mean())


def gradients(model: Model, inspection: Inspection) -> list[Gradient]:
    """Mean and standard deviation of the gradient that reaches every tanh layer's output."""
    return [
        Gradient(layer, name, *_mean_std(inspection.output_grads[name]))
        for layer, name in _tanh_layers(model)
    ]


def weight_gradients(params: Any, grads: Any) -> list[WeightGradient]:
    """Shape, gradient mean and std, and grad:data ratio of every weight matrix, infinite of weights that are all the same."""
    rows = []
    for (name, weight), grad in zip(weights(params).items(), weights(grads).values(), strict=True):
        mean, std = _mean_std(grad)
        _, spread = _mean_std(weight)
        ratio = std / spread if spread else math.inf if std else math.nan
        rows.append(WeightGradient(name, weight.shape, mean, std, ratio))
    return rows


def norms(params: Any) -> dict[str, float]:
    """The Euclidean norm of every parameter."""
    return {name: float(np.linalg.norm(np.asarray(leaf))) for name, leaf in named(params).items()}


def update_ratios(params: Any, updates: Any) -> dict[str, Float[Array, ""]]:
    """log10 of the size of the update over that of the weights, for every weight matrix; near -3 is healthy.

    Give it to `train.advance` as `observe`. Size is the root mean square about zero: the standard
    deviation, of which the lecture takes the ratio, costs twice as much here and differs in the third digit.
    """
    ratios = {}
    for (name, weight), update in zip(
        weights(params).items(), weights(updates).values(), strict=True
    ):
        ratios[name] = 0.5 * jnp.log10(_sum_of_squares(update) / _sum_of_squares(weight))
    return ratios


def _sum_of_squares(x: Float[Array, "rows columns"]) -> Float[Array, ""]:
    """In ten sums that need not wait for one another: on a CPU half the time of one sum."""
    rows = len(x) // 10
    strands = [x[i * rows : (i + 1) * rows] for i in range(10)]
    together = jnp.sum(sum(jnp.square(strand) for strand in strands))
    return together + jnp.sum(jnp.square(x[10 * rows :]))


def weights(tree: Any) -> dict[str, Any]:
    """The weight matrices among the leaves of a tree, the embedding included, by their place."""
    return {name: leaf for name, leaf in named(tree).items() if leaf.ndim == 2}


def health(
    activations: Sequence[Activation] = (),
    gradients: Sequence[Gradient] = (),
    *,
    update_ratios: Mapping[str, float] | None = None,
    initial_loss: float | None = None,
    final_loss: float | None = None,
    loss_train: float | None = None,
    loss_val: float | None = None,
) -> list[Finding]:
    """All findings, the gravest first; none is good. What is not given is not looked at.

    `update_ratios` are log10 of update:data per weight matrix, a mean over the last steps; `initial_loss` and
    `final_loss` are of training batches, `loss_train` and `loss_val` over the whole parts, in nats.
    A layer is saturated if it is above the limit by more than two standard errors, so that another
    batch finds the same.
    """
    return [
        *_loss_findings(initial_loss, final_loss),
        *_gradient_findings(gradients),
        *_activation_findings(activations),
        *_update_findings(update_ratios or {}),
        *_overfitting_findings(loss_train, loss_val),
    ]


def _loss_findings(initial: float | None, final: float | None) -> Iterator[Finding]:
    if initial is None or final is None:
        return
    # Written so that a NaN, which compares to nothing, counts as diverging.
    if not final <= initial + MAX_RISE:
        remedy = "lower the learning rate, or clip gradients"
        yield Finding("diverging loss", "training", final, initial + MAX_RISE, remedy, " nats")
    elif final > initial - MIN_LEARNED:
        remedy = "raise the learning rate, or train longer"
        yield Finding("slow learning", "training", final, initial - MIN_LEARNED, remedy, " nats")


def _gradient_findings(gradients: Sequence[Gradient]) -> Iterator[Finding]:
    if len(gradients) < 2:
        return
    first, last = gradients[0], gradients[-1]
    where = f"layer {first.layer} ({first.name}) against layer {last.layer}"
    ratio = first.std / last.std if last.std else math.nan
    if not ratio >= 1 / MAX_GRADIENT_SPREAD:
        remedy = "better initialisation, BatchNorm, a lower learning rate"
        yield Finding("vanishing gradients", where, ratio, 1 / MAX_GRADIENT_SPREAD, remedy)
    elif ratio > MAX_GRADIENT_SPREAD:
        remedy = "fewer layers, a smaller gain, a lower learning rate, or clip gradients"
        yield Finding("exploding gradients", where, ratio, MAX_GRADIENT_SPREAD, remedy)


def _activation_findings(activations: Sequence[Activation]) -> Iterator[Finding]:
    for row in activations:
        where = f"layer {row.layer} ({row.name})"
        if row.dead:
            remedy = "a smaller gain, a lower learning rate"
            yield Finding("dead units", where, row.dead, 0, remedy, " units")
        if not row.saturation <= MAX_SATURATION + 2 * row.saturation_error:
            remedy = "a smaller gain, or BatchNorm before this tanh"
            yield Finding("saturated tanh", where, row.saturation, MAX_SATURATION, remedy, " %")


def _update_findings(ratios: Mapping[str, float]) -> Iterator[Finding]:
    low, high = UPDATE_RATIOS
    for name, ratio in ratios.items():
        if not ratio >= low:
            yield Finding("updates too small", name, ratio, low, "raise the learning rate")
        elif ratio > high:
            yield Finding("updates too large", name, ratio, high, "lower the learning rate")


def _overfitting_findings(train: float | None, val: float | None) -> Iterator[Finding]:
    if train is not None and val is not None and val - train > MAX_GAP:
        remedy = "a smaller network, fewer steps, or more names"
        yield Finding(
            "overfitting",
            "validation loss over training loss",
            val - train,
            MAX_GAP,
            remedy,
            " nats",
        )


def _tanh_layers(model: Model) -> list[tuple[int, str]]:
    """Return number and name of every layer whose name ends in `.tanh`."""
    return [(i, name) for i, name in enumerate(layer_names(model)) if name.endswith(".tanh")]


def _mean_std(values: Any) -> tuple[float, float]:
    """The mean and the standard deviation of a sample, which of a single number is 0."""
    values = np.asarray(values, np.float64)
    return float(values.mean()), float(values.std(ddof=min(1, values.size - 1)))
