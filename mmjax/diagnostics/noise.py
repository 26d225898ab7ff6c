"""The noise of gradients: how much batches differ, and which batch size that suggests."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from mmjax.data import Batch
from mmjax.diagnostics.curvature import batch_loss
from mmjax.errors import require
from mmjax.model import Model, named


class GradientNoise(NamedTuple):
    """The gradients of several batches, compared."""

    signal: float
    """Squared norm of the mean gradient, without the part that noise adds to it. With few batches
    it may be below 0: the noise is larger than the signal."""
    noise: float
    """Sum of the variances of the gradients of single examples."""
    critical_batch: float
    """noise / signal: with a batch of this size, both have the same size in a gradient. Much larger
    batches are hardly better, much smaller ones hardly worse an example. Infinite without signal."""
    gsnr: dict[str, float]
    """Signal to noise ratio of the gradient of each parameter array: squared mean over variance of
    single examples, a mean over the array's numbers."""


def gradient_noise(
    model: Model, params: Any, stats: Any, batches: Batch, key: PRNGKeyArray | None = None
) -> GradientNoise:
    """Return the noise of the gradients of `batches`.

    `batches` has a leading axis of batches before that of their examples, and no weights. Each
    gradient is that of a training step, so BatchNorm uses the statistics of the batch, and the
    noise is that of the batch size given. The estimates are unbiased for examples drawn
    independently.

    Raises `InputError` if there are fewer than two batches.

    Source: McCandlish et al., An Empirical Model of Large-Batch Training, appendix A
    (https://arxiv.org/abs/1812.06162); Liu et al., Understanding Why Neural Networks Generalize
    Well Through GSNR of Parameters (https://arxiv.org/abs/2001.07384).
    """
    count, size = batches.contexts.shape[:2]
    require(count > 1, f"the noise of gradients needs at least 2 batches, not {count}")
    mean, var = _named_moments(model, params, stats, batches, key)
    noise = size * sum(float(np.sum(each)) for each in var.values())
    squared = sum(float(np.sum(np.square(each))) for each in mean.values())
    signal = squared - noise / (size * count)
    ratios = {name: _ratio(mean[name], size * var[name]) for name in mean}
    return GradientNoise(signal, noise, noise / signal if signal > 0 else np.inf, ratios)


def _named_moments(
    model: Model, params: Any, stats: Any, batches: Batch, key: PRNGKeyArray | None
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return (mean, unbiased variance) over the batches of each parameter's gradient, by name."""
    mean, var = (
        {name: np.asarray(leaf, np.float64) for name, leaf in named(tree).items()}
        for tree in _moments(model, params, stats, batches, key)
    )
    return mean, var


@partial(jax.jit, static_argnums=0)
def _moments(
    model: Model, params: Any, stats: Any, batches: Batch, key: PRNGKeyArray | None
) -> tuple[Any, Any]:
    """Return the moments, with two passes over the batches, so that only sums are kept."""

    def gradient(i: Array) -> Any:
        own = None if key is None else jax.random.fold_in(key, i)
        batch = jax.tree.map(lambda x: x[i], batches)
        return jax.grad(batch_loss(model, stats, batch, own))(params)

    count = batches.contexts.shape[0]
    zeros = jax.tree.map(jnp.zeros_like, params)

    def total(function: Any) -> Any:
        def add(sums: Any, i: Array) -> tuple[Any, None]:
            return jax.tree.map(jnp.add, sums, function(gradient(i))), None

        return jax.lax.scan(add, zeros, jnp.arange(count))[0]

    mean = jax.tree.map(lambda x: x / count, total(lambda grads: grads))
    squares = total(lambda grads: jax.tree.map(lambda g, m: jnp.square(g - m), grads, mean))
    return mean, jax.tree.map(lambda x: x / (count - 1), squares)


def _ratio(mean: np.ndarray, var: np.ndarray) -> float:
    """Return the mean of mean² / var; where both are 0, nothing is learned and nothing counts."""
    used = var > 0
    return float(np.mean(mean[used] ** 2 / var[used])) if used.any() else float("nan")
