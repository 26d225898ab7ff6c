"""Recording: every layer's output and gradient.

They come from the model's own forward pass.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer, PRNGKeyArray

from mmjax import train
from mmjax.data import Batch
from mmjax.model import Model, layer_names
from mmjax.models.activations import ACTIVATIONS, Activation


class Inspection(NamedTuple):
    """The raw arrays of one batch, by layer and by parameter."""

    loss: Float[Array, ""]
    outputs: dict[str, Float[Array, "batch features"]]
    output_grads: dict[str, Float[Array, "batch features"]]
    grads: Any


def record(
    model: Model,
    params: Any,
    stats: Any,
    contexts: Integer[Array, "batch block_size"],
    *,
    train: bool,
    key: PRNGKeyArray | None = None,
) -> tuple[Float[Array, "batch vocab"], dict[str, Array]]:
    """Return (logits, the output of every layer by the layer's name).

    A model with random layers needs a `key` in training.
    """
    outputs: dict[str, Array] = {}

    def tap(name: str, x: Array) -> Array:
        outputs[name] = x
        return x

    logits, _ = model.apply(params, stats, contexts, train=train, key=key, tap=tap)
    return logits, outputs


@partial(jax.jit, static_argnums=0)
def outputs(
    model: Model,
    params: Any,
    stats: Any,
    contexts: Integer[Array, "batch block_size"],
    key: PRNGKeyArray | None = None,
) -> dict[str, Float[Array, "batch features"]]:
    """Return the output of each activation layer by its name.

    The contexts pass through the model as a training batch.
    """
    _, outputs = record(model, params, stats, contexts, train=True, key=key)
    return {name: outputs[name] for _, name in activation_layers(model)}


def inspect(
    model: Model,
    params: Any,
    stats: Any,
    batch: Batch,
    key: PRNGKeyArray | None = None,
) -> Inspection:
    """Return a training batch's loss, every layer's output, and all gradients.

    The tap adds zeros to each output; the gradient with respect to these zeros is the gradient
    with respect to the output (PyTorch: `retain_grad()`). The recipe's penalty is not included.
    """

    def loss(params: Any, perturbations: Any) -> tuple[Array, dict[str, Array]]:
        outputs: dict[str, Array] = {}

        def tap(name: str, x: Array) -> Array:
            outputs[name] = x + perturbations[name]
            return outputs[name]

        logits, _ = model.apply(params, stats, batch.contexts, train=True, key=key, tap=tap)
        return train.cross_entropy(logits, batch.targets, batch.weights), outputs

    shapes = jax.eval_shape(
        lambda: record(model, params, stats, batch.contexts, train=True, key=key)[1]
    )
    zeros = {name: jnp.zeros(out.shape, out.dtype) for name, out in shapes.items()}
    (value, outputs), (grads, output_grads) = jax.value_and_grad(loss, (0, 1), has_aux=True)(
        params, zeros
    )
    return Inspection(value, outputs, output_grads, grads)


def activation_layers(model: Model) -> list[tuple[int, str]]:
    """Return the number and name of every activation layer.

    Those are the layers whose name ends in the name of an activation.
    """
    return [
        (i, name)
        for i, name in enumerate(layer_names(model))
        if activation_name(name) in ACTIVATIONS
    ]


def activation_of(layer: str) -> Activation:
    """Return the activation of an activation layer: `hidden.0.tanh` has tanh."""
    return ACTIVATIONS[activation_name(layer)]


def activation_name(layer: str) -> str:
    """Return the last part of a layer's name: tanh in `hidden.0.tanh`."""
    return layer.rpartition(".")[2]
