"""Weights of a geometric mixture by Newton's method."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from mmjax.models.mixture import LEAST, mix

STEPS = 12  # on the lecture's list the loss falls by less than 1e-6 after 8
SCALES = (1.0, 0.3, 0.1, 0.02, 0.0)  # of a step, of which each position takes the best


@partial(jax.jit, static_argnames="positions")
def fitted(
    logs: Float[Array, "examples components vocab"],
    at: Int[Array, "examples"],
    targets: Int[Array, "examples"],
    weight: Float[Array, "examples"],
    positions: int,
    spread: Float[Array, ""] | float,
) -> Float[Array, "positions components"]:
    """Return the weights with the lowest loss and prior.

    `logs` are the components' log-probabilities, `at` the position of each example, and `weight`
    how often it counts. The prior of a
    weight is normal, with the standard deviation `spread`, around the best of equal weights and
    each component alone. The objective is convex, and that of a position depends on its own weights
    only. Its gradient is the mean of the components' log-probabilities minus that of the target, its
    Hessian their covariance.
    """
    count = logs.shape[1]
    logs = jnp.maximum(logs, jnp.asarray(LEAST, logs.dtype))
    target = jnp.take_along_axis(logs, targets[:, None, None], axis=2)[:, :, 0]

    def total(of_examples: Array) -> Array:  # of each position
        weights = weight.reshape(-1, *(1,) * (of_examples.ndim - 1))
        return jax.ops.segment_sum(weights * of_examples, at, num_segments=positions)

    strength = jnp.asarray(1 / spread**2, logs.dtype)

    def likelihood(weights: Array) -> Array:  # of each example
        mixed = mix("geometric", logs, weights[at])
        return jnp.take_along_axis(mixed, targets[:, None], axis=1)[:, 0]

    alone = jnp.concatenate([jnp.eye(count), jnp.full((1, count), 1 / count)]).astype(logs.dtype)
    starts = jnp.broadcast_to(alone[:, None, :], (count + 1, positions, count))
    start = starts[jnp.argmax(jax.lax.map(lambda w: jnp.vdot(weight, likelihood(w)), starts))]

    def step(weights: Array, _: None) -> tuple[Array, None]:
        probs = jnp.exp(mix("geometric", logs, weights[at]))
        mean = jnp.einsum("nv,nkv->nk", probs, logs)
        apart = logs - mean[:, :, None]
        covariance = jnp.einsum("nv,nkv,nlv->nkl", probs, apart, apart)
        gradient = total(mean - target) + strength * (weights - start)
        hessian = total(covariance) + strength * jnp.eye(count, dtype=logs.dtype)[None, :, :]
        move = jnp.linalg.solve(hessian, gradient[:, :, None])[None, :, :, 0]
        tried = weights[None, :, :] - jnp.array(SCALES, logs.dtype)[:, None, None] * move
        now = likelihood(weights)

        def gain(tried: Array) -> Array:  # of each position; as differences, which round less
            prior = jnp.sum(jnp.square(tried - start) - jnp.square(weights - start), axis=1)
            return total(likelihood(tried) - now) - strength / 2 * prior

        best = jnp.argmax(jax.lax.map(gain, tried), axis=0)
        return tried[best, jnp.arange(positions)], None

    return jax.lax.scan(step, start, length=STEPS)[0]
