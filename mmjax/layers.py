"""Layers: a NamedTuple of parameters and a pure function each."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray


class Linear(NamedTuple):
    """Parameters of an affine map."""

    weight: Float[Array, "fan_in fan_out"]
    bias: Float[Array, "fan_out"]


class BatchNorm(NamedTuple):
    """Learned scale and shift of a batch normalisation."""

    gamma: Float[Array, "features"]
    beta: Float[Array, "features"]


class Moments(NamedTuple):
    """Mean and unbiased variance of each feature: of a batch, or running over many."""

    mean: Float[Array, "features"]
    var: Float[Array, "features"]


def linear_init(key: PRNGKeyArray, fan_in: int, fan_out: int, *, gain: float = 1.0) -> Linear:
    """Weights from N(0, gain**2 / fan_in), which keep the variance of their input; biases 0.

    He et al., Delving Deep into Rectifiers, section 2.2 (https://arxiv.org/abs/1502.01852); the
    gain makes up for what the activation behind takes away, 5/3 for tanh.
    """
    weight = jax.random.normal(key, (fan_in, fan_out)) * (gain / fan_in**0.5)
    return Linear(weight, jnp.zeros(fan_out))


def linear(params: Linear, x: Float[Array, "batch fan_in"]) -> Float[Array, "batch fan_out"]:
    """X @ weight + bias."""
    return x @ params.weight + params.bias[None, :]


def batch_norm_init(features: int, *, gamma: float = 1.0) -> tuple[BatchNorm, Moments]:
    """Scale `gamma`, shift 0; running mean 0 and variance 1."""
    params = BatchNorm(gamma * jnp.ones(features), jnp.zeros(features))
    return params, Moments(jnp.zeros(features), jnp.ones(features))


def moments(x: Float[Array, "batch features"]) -> Moments:
    """Mean and unbiased variance (divided by batch - 1) over the batch, which needs at least two rows."""
    return Moments(jnp.mean(x, axis=0), jnp.var(x, axis=0, ddof=1))


def batch_norm(
    params: BatchNorm,
    running: Moments,
    x: Float[Array, "batch features"],
    *,
    train: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[Float[Array, "batch features"], Moments]:
    """(normalised x, new running moments): with the batch's moments in training, else with the running ones.

    Two conventions meet here. The variance is the unbiased one, both to normalise and to track, as
    in the lecture; `torch.nn.BatchNorm1d` normalises with the biased one. And `momentum` is the
    weight of the new batch, as in torch: running = (1 - momentum) * running + momentum * batch;
    flax and the paper's followers in TensorFlow call 1 - momentum that.

    Ioffe and Szegedy, Batch Normalization, algorithms 1 and 2 (https://arxiv.org/abs/1502.03167).
    """
    mean, var = used = moments(x) if train else running
    scale = params.gamma * jax.lax.rsqrt(var + eps)
    y = (x - mean[None, :]) * scale[None, :] + params.beta[None, :]
    if not train:
        return y, running
    batch = jax.lax.stop_gradient(used)
    return y, jax.tree.map(lambda r, b: (1 - momentum) * r + momentum * b, running, batch)
