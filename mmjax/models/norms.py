"""Normalisations by name, and those besides BatchNorm.

Each is a pair of functions with the signatures of `layers.batch_norm_init` and `layers.batch_norm`.
Layer normalisation and its variants normalise each example by itself. So they keep no statistics,
and training and evaluation are the same.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mmjax.models import layers
from mmjax.models.layers import Number


class LayerNorm(NamedTuple):
    """Learned scale and shift of a layer normalisation."""

    gamma: Float[Array, "features"]
    beta: Float[Array, "features"]


class RMSNorm(NamedTuple):
    """Learned scale of a root-mean-square normalisation."""

    gamma: Float[Array, "features"]


def layer_norm_init(features: int, *, gamma: Number = 1.0) -> tuple[LayerNorm, tuple[()]]:
    """Return scale `gamma` and shift 0, and no statistics."""
    return LayerNorm(gamma * jnp.ones(features), jnp.zeros(features)), ()


def layer_norm(
    params: LayerNorm,
    stats: tuple[()],
    x: Float[Array, "batch features"],
    *,
    train: bool,
    momentum: Number = 0.1,
    eps: float = 1e-5,
) -> tuple[Float[Array, "batch features"], tuple[()]]:
    """Return (x normalised over the features of each example, unchanged stats).

    The variance is the biased one, as in `torch.nn.LayerNorm`. `train` and `momentum` have no
    effect. Source: Ba, Kiros and Hinton, Layer Normalization (https://arxiv.org/abs/1607.06450).
    """
    del train, momentum
    deviation = x - jnp.mean(x, axis=1, keepdims=True)
    variance = jnp.mean(jnp.square(deviation), axis=1, keepdims=True)
    scaled = deviation * jax.lax.rsqrt(variance + eps) * params.gamma[None, :]
    return scaled + params.beta[None, :], stats


def rms_norm_init(features: int, *, gamma: Number = 1.0) -> tuple[RMSNorm, tuple[()]]:
    """Return scale `gamma`, and no statistics."""
    return RMSNorm(gamma * jnp.ones(features)), ()


def rms_norm(
    params: RMSNorm,
    stats: tuple[()],
    x: Float[Array, "batch features"],
    *,
    train: bool,
    momentum: Number = 0.1,
    eps: float = 1e-5,
) -> tuple[Float[Array, "batch features"], tuple[()]]:
    """Return (x divided by its root mean square over the features, unchanged stats).

    `train` and `momentum` have no effect. Source: Zhang and Sennrich, Root Mean Square Layer
    Normalization (https://arxiv.org/abs/1910.07467).
    """
    del train, momentum
    mean_square = jnp.mean(jnp.square(x), axis=1, keepdims=True)
    return x * jax.lax.rsqrt(mean_square + eps) * params.gamma[None, :], stats


class Norm(NamedTuple):
    """A normalisation with the signatures of `layers.batch_norm_init` and `layers.batch_norm`."""

    init: Callable[..., tuple[Any, Any]]
    apply: Callable[..., tuple[Any, Any]]


def _nothing(features: int, *, gamma: Number = 1.0) -> tuple[tuple[()], tuple[()]]:
    del features, gamma
    return (), ()


def _identity(params: tuple[()], stats: tuple[()], x: Array, **_: Any) -> tuple[Array, tuple[()]]:
    del params
    return x, stats


NORMS = {
    "batch": Norm(layers.batch_norm_init, layers.batch_norm),
    "layer": Norm(layer_norm_init, layer_norm),
    "rms": Norm(rms_norm_init, rms_norm),
    "none": Norm(_nothing, _identity),
}
