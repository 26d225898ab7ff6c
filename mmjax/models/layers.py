"""Layers: linear and BatchNorm, parameters and a pure function each."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from mmjax.errors import require


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
    gain makes up for what the activation after it takes away, 5/3 for tanh.
    """
    weight = jax.random.normal(key, (fan_in, fan_out)) * (gain / fan_in**0.5)
    return Linear(weight, jnp.zeros(fan_out))


@jax.custom_jvp
def linear(params: Linear, x: Float[Array, "batch fan_in"]) -> Float[Array, "batch fan_out"]:
    """Return x @ weight + bias.

    Its derivative is written so that the backward pass is one product for weight and bias, a tenth
    off a training step on a CPU.
    """
    return x @ params.weight + params.bias[None, :]


@linear.defjvp
def _linear_jvp(
    primals: tuple[Linear, Array], tangents: tuple[Linear, Array]
) -> tuple[Array, Array]:
    (params, x), (params_dot, x_dot) = primals, tangents
    # Transposed, the product with weight and bias in one is [x 1].T @ grad, the gradients of both.
    # XLA would fold that transposition into the product, whose kernel for it is a slow one; the
    # barrier has it done before. And it would compute the gradient of the BatchNorm after this
    # layer a second time, for a sum that gives the gradient of the bias alone.
    x_and_one = jnp.concatenate([x, jnp.ones((len(x), 1), x.dtype)], axis=1)
    transposed = jax.lax.optimization_barrier(x_and_one.T)
    both_dot = jnp.concatenate([params_dot.weight, params_dot.bias[None, :]])
    y_dot = x_dot @ params.weight + jax.lax.dot_general(
        transposed, both_dot, (((0,), (0,)), ((), ()))
    )
    return linear(params, x), y_dot


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
    """Return (normalised x, new running moments).

    The batch's moments normalise it in training, the running ones in evaluation.

    Two conventions meet here. The variance is the unbiased one, both to normalise and to track, as
    in the lecture; `torch.nn.BatchNorm1d` normalises with the biased one. And `momentum` is the
    weight of the new batch, as in torch: running = (1 - momentum) * running + momentum * batch;
    flax and the paper's followers in TensorFlow call 1 - momentum that.

    Ioffe and Szegedy, Batch Normalization, algorithms 1 and 2 (https://arxiv.org/abs/1502.03167).
    """
    if not train:
        return _affine(params, running, x, eps), running
    require(
        len(x) > 1,
        f"BatchNorm needs at least 2 rows in training, not {len(x)}, since one row has no variance; "
        "give a larger batch, or train=False",
    )
    normalised: Any = normalise(params, x, eps)
    y, batch = normalised
    return y, jax.tree.map(lambda r, b: (1 - momentum) * r + momentum * b, running, batch)


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def normalise(
    params: BatchNorm, x: Float[Array, "batch features"], eps: float
) -> tuple[Float[Array, "batch features"], Moments]:
    """Return (x normalised with its own moments, scaled and shifted; those moments).

    The moments pass on no gradient. The derivative is written so that the backward pass is the
    closed form that the lecture derives by hand, for the unbiased variance: a tenth off a training
    step on a CPU, against differentiating the formula.
    """
    batch = moments(x)
    return _affine(params, batch, x, eps), batch


def _affine(params: BatchNorm, moments: Moments, x: Array, eps: float) -> Array:
    scale = params.gamma * jax.lax.rsqrt(moments.var + eps)
    return (x - moments.mean[None, :]) * scale[None, :] + params.beta[None, :]


@normalise.defjvp
def _normalise_jvp(
    eps: float, primals: tuple[BatchNorm, Array], tangents: tuple[BatchNorm, Array]
) -> tuple[tuple[Array, Moments], tuple[Array, Moments]]:
    (params, x), (params_dot, x_dot) = primals, tangents
    normalised: Any = normalise(params, x, eps)
    y, batch = normalised
    # Computed again for higher orders, since those of `normalise` pass on no gradient; the same
    # numbers, which XLA computes once.
    mean, var = moments(x)
    deviation = x - mean[None, :]
    inverse_std = jax.lax.rsqrt(var + eps)
    # Transposed, the two sums over the batch are shared by all three gradients. The signs and the
    # order are those that make the transposed program as fast as one written by hand.
    z_dot = (params.gamma * inverse_std)[None, :] * x_dot
    slope_dot = jnp.sum(deviation * z_dot, axis=0) / (1 - len(x))
    stretch_dot = inverse_std * (params_dot.gamma + inverse_std * slope_dot)
    shift_dot = params_dot.beta + jnp.sum(z_dot, axis=0) / -len(x)
    y_dot = z_dot + shift_dot[None, :] + deviation * stretch_dot[None, :]
    return (y, batch), (y_dot, jax.tree.map(jnp.zeros_like, batch))
