"""Layers: parameters and pure functions of linear, dropout and BatchNorm."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from mmjax import spread
from mmjax.errors import require

Number = float | Float[Array, ""]  # a constant, or a number that differs between members


class Linear(NamedTuple):
    """Parameters of an affine map."""

    weight: Float[Array, "fan_in fan_out"]
    bias: Float[Array, "fan_out"]


class BatchNorm(NamedTuple):
    """Learned scale and shift of a batch normalisation."""

    gamma: Float[Array, "features"]
    beta: Float[Array, "features"]


class Moments(NamedTuple):
    """Mean and unbiased variance of each feature.

    They are those of a batch, or running ones over many batches.
    """

    mean: Float[Array, "features"]
    var: Float[Array, "features"]


def linear_init(key: PRNGKeyArray, fan_in: int, fan_out: int, *, gain: Number = 1.0) -> Linear:
    """Return weights from N(0, gain**2 / fan_in), and biases 0.

    With a gain of 1 the output has the variance of the input: He et al., Delving Deep into
    Rectifiers, section 2.2 (https://arxiv.org/abs/1502.01852). A larger gain offsets the loss of
    variance in the activation after the layer; torch.nn.init.calculate_gain has 5/3 for tanh.
    """
    weight = jax.random.normal(key, (fan_in, fan_out)) * (gain / fan_in**0.5)
    return Linear(weight, jnp.zeros(fan_out))


@jax.custom_jvp
def linear(params: Linear, x: Float[Array, "batch fan_in"]) -> Float[Array, "batch fan_out"]:
    """Return x @ weight + bias.

    In the backward pass, one product gives the gradients of weight and bias. This saves 10 % of a
    training step on a CPU.
    """
    return x @ params.weight + params.bias[None, :]


@linear.defjvp
def _linear_jvp(
    primals: tuple[Linear, Array], tangents: tuple[Linear, Array]
) -> tuple[Array, Array]:
    (params, x), (params_dot, x_dot) = primals, tangents
    # Transposed, the product below is [x 1].T @ grad: the gradients of weight and bias in one.
    # The barrier makes XLA transpose before the product; a product that includes the transposition
    # has a slow kernel. With a separate sum for the bias, XLA would also compute the gradient of
    # the BatchNorm after this layer twice.
    x_and_one = jnp.concatenate([x, jnp.ones((len(x), 1), x.dtype)], axis=1)
    transposed = jax.lax.optimization_barrier(x_and_one.T)
    both_dot = jnp.concatenate([params_dot.weight, params_dot.bias[None, :]])
    y_dot = x_dot @ params.weight + jax.lax.dot_general(
        transposed, both_dot, (((0,), (0,)), ((), ()))
    )
    return linear(params, x), y_dot


def dropout(
    key: PRNGKeyArray, x: Float[Array, "batch features"], rate: Number
) -> Float[Array, "batch features"]:
    """Return x with a random part `rate` set to 0, and the rest scaled up.

    The scale 1 / (1 - rate) keeps the mean. Call it in training only. If the batch is spread over
    devices, the result is that of one device. Source: Srivastava et al., Dropout
    (https://jmlr.org/papers/v15/srivastava14a.html).
    """
    kept = jax.random.bernoulli(key, 1 - rate, (spread.rows(x), x.shape[1]))
    kept = spread.part(kept, len(x)) if spread.is_spread(x) else kept
    return jnp.where(kept, x / (1 - rate), jnp.zeros_like(x))


def batch_norm_init(features: int, *, gamma: Number = 1.0) -> tuple[BatchNorm, Moments]:
    """Return scale `gamma` and shift 0, and running mean 0 and variance 1."""
    params = BatchNorm(gamma * jnp.ones(features), jnp.zeros(features))
    return params, Moments(jnp.zeros(features), jnp.ones(features))


def moments(x: Float[Array, "batch features"]) -> Moments:
    """Return the mean and unbiased variance over the batch.

    The variance divides by batch - 1, so the batch needs at least two rows. If the batch is spread
    over devices, the moments are those of the whole batch. They are merged from the parts' in one
    message: Chan, Golub and LeVeque, Updating Formulae and a Pairwise Algorithm for Computing
    Sample Variances (http://i.stanford.edu/pub/cstr/reports/cs/tr/79/773/CS-TR-79-773.pdf).
    """
    if not spread.is_spread(x):
        return Moments(jnp.mean(x, axis=0), jnp.var(x, axis=0, ddof=1))
    parts = spread.gathered(jnp.stack([jnp.mean(x, axis=0), jnp.var(x, axis=0)]))
    means, variances = parts[:, 0], parts[:, 1]
    mean = jnp.mean(means, axis=0)
    biased = jnp.mean(variances + jnp.square(means - mean[None, :]), axis=0)
    rows = spread.rows(x)
    return Moments(mean, biased * (rows / (rows - 1)))


def batch_norm(
    params: BatchNorm,
    running: Moments,
    x: Float[Array, "batch features"],
    *,
    train: bool,
    momentum: Number = 0.1,
    eps: float = 1e-5,
) -> tuple[Float[Array, "batch features"], Moments]:
    """Return (normalised x, new running moments).

    In training the batch is normalised by its own moments, in evaluation by the running ones.
    Raises `InputError` if a training batch has fewer than two rows.

    Two conventions differ between libraries. The variance is unbiased here, both to normalise and
    to track, as in the lecture; `torch.nn.BatchNorm1d` normalises with the biased one. `momentum`
    is the weight of the new batch, as in torch:
    running = (1 - momentum) * running + momentum * batch.
    In flax and TensorFlow, the same name means 1 - momentum.

    Source: Ioffe and Szegedy, Batch Normalization, algorithms 1 and 2
    (https://arxiv.org/abs/1502.03167).
    """
    if not train:
        return _affine(params, running, x, eps), running
    require(
        spread.rows(x) > 1,
        f"BatchNorm needs at least 2 rows in training, not {spread.rows(x)}, since one row has no variance; "
        "give a larger batch, or train=False",
    )
    normalised: Any = normalise(params, x, eps)
    y, batch = normalised
    return y, jax.tree.map(lambda r, b: (1 - momentum) * r + momentum * b, running, batch)


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def normalise(
    params: BatchNorm, x: Float[Array, "batch features"], eps: float
) -> tuple[Float[Array, "batch features"], Moments]:
    """Return (normalised x, its moments).

    x is normalised with its own moments, then scaled and shifted. The returned moments carry no
    gradient; the gradient of the normalised x includes their dependence on x. The backward pass is
    the closed form that the lecture derives by hand, for the unbiased variance. Compared with
    differentiating the formula, it saves 10 % of a training step on a CPU.
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
    # Computed again for higher derivatives, since the moments of `normalise` pass on no gradient.
    # The numbers are the same, so XLA computes them once.
    mean, var = moments(x)
    deviation = x - mean[None, :]
    inverse_std = jax.lax.rsqrt(var + eps)
    # Transposed, all three gradients share the two sums over the batch. With these signs and this
    # order, the transposed program is as fast as one written by hand.
    z_dot = (params.gamma * inverse_std)[None, :] * x_dot
    sums = spread.summed((jnp.sum(deviation * z_dot, axis=0), jnp.sum(z_dot, axis=0)))
    slope_dot = sums[0] / (1 - spread.rows(x))
    stretch_dot = inverse_std * (params_dot.gamma + inverse_std * slope_dot)
    shift_dot = params_dot.beta + sums[1] / -spread.rows(x)
    y_dot = z_dot + shift_dot[None, :] + deviation * stretch_dot[None, :]
    return (y, batch), (y_dot, jax.tree.map(jnp.zeros_like, batch))
