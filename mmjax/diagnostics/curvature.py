"""The shape of the loss around the weights: its largest curvature, and how far a step goes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PRNGKeyArray
from scipy.sparse.linalg import LinearOperator, eigsh

from mmjax import train
from mmjax.data import Batch
from mmjax.model import Model


def batch_loss(
    model: Model, stats: Any, batch: Batch, key: PRNGKeyArray | None = None
) -> Callable[[Any], Float[Array, ""]]:
    """Return the loss of one training batch as a function of the parameters.

    BatchNorm uses the statistics of the batch, as in a training step. A model with random layers
    needs a `key`. The recipe's penalty is not included.
    """

    def loss(params: Any) -> Float[Array, ""]:
        logits, _ = model.apply(params, stats, batch.contexts, train=True, key=key)
        return train.cross_entropy(logits, batch.targets, batch.weights)

    return loss


def sharpness(
    model: Model,
    params: Any,
    stats: Any,
    batch: Batch,
    key: PRNGKeyArray | None = None,
    *,
    tolerance: float = 1e-3,
) -> float:
    """Return the largest eigenvalue of the Hessian of a batch's loss.

    Gradient descent with a constant learning rate is stable where it is below 2 / learning rate;
    training often ends near that edge. It is found by Lanczos iterations (`scipy`'s `eigsh`), each
    with one Hessian-vector product, to the relative `tolerance`.

    Source: Cohen et al., Gradient Descent on Neural Networks Typically Occurs at the Edge of
    Stability (https://arxiv.org/abs/2103.00065).
    """
    flat, unravel = ravel_pytree(params)

    def product(vector: np.ndarray) -> np.ndarray:
        vector = vector.astype(flat.dtype).reshape(flat.shape)
        tangent = unravel(jnp.asarray(vector))
        found = _hessian_product(model, params, stats, batch, key, tangent)
        return np.asarray(ravel_pytree(found)[0], np.float64)

    operator: Any = LinearOperator  # scipy's stubs do not know its arguments
    hessian = operator((flat.size, flat.size), matvec=product, dtype=np.float64)
    start = np.random.default_rng(0).normal(size=flat.size)
    options: dict[str, Any] = {"tol": tolerance, "return_eigenvectors": False}
    largest: Any = eigsh(hessian, k=1, which="LA", v0=start, **options)
    return float(largest[0])


@partial(jax.jit, static_argnums=0)
def _hessian_product(
    model: Model, params: Any, stats: Any, batch: Batch, key: PRNGKeyArray | None, tangent: Any
) -> Any:
    """Return the Hessian times a tangent, forward mode over reverse mode."""
    gradient = jax.grad(batch_loss(model, stats, batch, key))
    return jax.jvp(gradient, (params,), (tangent,))[1]


def largest_ritz_value(
    product: Callable[[Float[Array, "size"]], Float[Array, "size"]],
    start: Float[Array, "size"],
    products: int,
) -> Float[Array, ""]:
    """Return what a few Lanczos iterations find of a symmetric matrix's largest eigenvalue.

    It is never above the eigenvalue, up to rounding. `product` multiplies a vector by the matrix;
    it is called `products` times, the first time with `start` scaled to length 1. For so few
    iterations the vectors need no new orthogonalisation. Works inside `jit`.
    """

    def unit(vector: Array, length: Array) -> Array:
        return vector / jnp.where(length > 0, length, 1)

    def iterate(carry: tuple[Array, Array, Array], _: None) -> tuple[Any, tuple[Array, Array]]:
        vector, before, length = carry
        image = product(vector)
        along = jnp.vdot(image, vector)
        rest = image - along * vector - length * before
        next_length = jnp.sqrt(jnp.vdot(rest, rest))
        return (unit(rest, next_length), vector, next_length), (along, next_length)

    first = unit(start, jnp.sqrt(jnp.vdot(start, start)))
    begin = (first, jnp.zeros_like(first), jnp.zeros((), first.dtype))
    _, (diagonal, beside) = jax.lax.scan(iterate, begin, length=products)
    beside = jnp.diag(beside[:-1], 1)
    return jnp.linalg.eigvalsh(jnp.diag(diagonal) + beside + beside.T)[-1]


@partial(jax.jit, static_argnums=0)
def step_reach(
    model: Model,
    params: Any,
    stats: Any,
    batch: Batch,
    update: Any,
    key: PRNGKeyArray | None = None,
) -> Float[Array, ""]:
    """Return how far across the valley of a batch's loss a step goes.

    `update` is what the step adds to the parameters. The result compares the slopes along the step
    at both of its ends: -1 is a step of no length, 0 one that ends at the bottom, 1 one that ends
    on the other side as steep as it began, and above 1 the loss goes up. It is NaN where the step
    begins on level ground.

    Source: the alpha of Schneider et al., Cockpit (https://arxiv.org/abs/2102.06604), from the two
    slopes alone.
    """
    loss = batch_loss(model, stats, batch, key)
    after = jax.tree.map(jnp.add, params, update)

    def slope(there: Any) -> Float[Array, ""]:
        return jax.jvp(loss, (there,), (update,))[1]

    return -slope(after) / slope(params)
