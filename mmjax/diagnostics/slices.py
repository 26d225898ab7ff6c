"""Slices of the loss: its values on a line or a plane through the parameters."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from mmjax.data import Batch
from mmjax.diagnostics.curvature import batch_loss
from mmjax.model import Model


def random_direction(params: Any, key: PRNGKeyArray) -> Any:
    """Return a random direction in the space of the parameters.

    Each column of a matrix, which holds the weights of one unit, has the norm that it has in
    `params`, so that a step of 1 changes all units alike, whatever the scale of their weights.
    Vectors, such as biases, do not move.

    Source: the filter normalisation of Li et al., Visualizing the Loss Landscape of Neural Nets
    (https://arxiv.org/abs/1712.09913).
    """
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(key, len(leaves))
    return tree.unflatten([_like(leaf, own) for leaf, own in zip(leaves, keys, strict=True)])


def _like(leaf: Array, key: PRNGKeyArray) -> Array:
    if leaf.ndim != 2:
        return jnp.zeros_like(leaf)
    drawn = jax.random.normal(key, leaf.shape, leaf.dtype)
    norms = [jnp.linalg.norm(x, axis=0, keepdims=True) for x in (leaf, drawn)]
    return drawn * (norms[0] / norms[1])


@partial(jax.jit, static_argnums=0)
def loss_slice(
    model: Model,
    params: Any,
    stats: Any,
    batch: Batch,
    directions: Sequence[Any],
    offsets: Float[Array, "points directions"],
    key: PRNGKeyArray | None = None,
) -> Float[Array, "points"]:
    """Return the loss of a batch at points around the parameters.

    A point is params + sum_k offsets[point, k] * directions[k]. One direction gives a line, two a
    plane. BatchNorm uses the statistics of the batch, as in a training step; a model with random
    layers needs a `key`.
    """
    loss = batch_loss(model, stats, batch, key)

    def at(offset: Array) -> Array:
        there = params
        for i, direction in enumerate(directions):
            there = jax.tree.map(lambda x, d, i=i: x + offset[i] * d, there, direction)
        return loss(there)

    return jax.lax.map(at, offsets)
