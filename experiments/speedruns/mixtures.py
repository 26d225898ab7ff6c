"""Entries that mix networks with counting."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from experiments.speedruns.course import Course
from mmjax import Predictor, counting, data, members, mlp, train
from mmjax.counting.fitting import letters_before, log_probs
from mmjax.counting.mixture import LEAST, Mixture, Params, mix
from mmjax.train import Recipe

SCALES = (0.0, 0.02, 0.1, 0.3, 1.0)  # of a Newton step, of which each position takes the best
NEWTON_STEPS = 8  # on the lecture's list the loss then falls by less than 1e-6 a step
PRIOR = 1.0  # weight of the start, in examples, as in `counting.geometric`


def of_networks_and_counting(
    model: mlp.MLP,
    recipe: Recipe,
    networks: int,
    orders: tuple[int, ...],
    course: Course,
    seed: int,
) -> Predictor:
    """Train networks, count, and mix them all with weights fitted on the validation part."""
    model = replace(model, vocab_size=course.vocab_size)
    keys = jax.random.split(jax.random.key(seed), networks)
    states = members.init(model, recipe, keys)
    examples = data.of(recipe.data, course.tokens, model)
    # JAX returns at once, so the host counts while the networks train.
    states, _ = members.advance(model, recipe, states, examples, steps=recipe.steps)
    counted = of_orders(orders, course)
    trained = [train.predictor(model, state) for state in members.unstack(states)]
    return mixed([*trained, *counted], course.val, positions=model.block_size + 1)


def of_counting(orders: tuple[int, ...], positions: int, course: Course, seed: int) -> Predictor:
    """Mix counted models with weights fitted on the validation part; nothing is random."""
    del seed
    return mixed(of_orders(orders, course), course.val, positions=positions)


def of_orders(orders: tuple[int, ...], course: Course) -> list[Predictor]:
    """Return Kneser-Ney with these lengths of context, discounts by formula."""
    tree = counting.grow(course.tokens, course.vocab_size, max(orders))
    return [counting.of_tree(tree.cut(order)) for order in orders]


def mixed(predictors: list[Predictor], val: np.ndarray, *, positions: int) -> Predictor:
    """Return the geometric mixture that is likeliest on the validation part.

    It is that of `counting.geometric`, found by Newton's method in a fraction of the time.
    """
    logs = jnp.asarray(log_probs(predictors, val))
    at = jnp.asarray(np.minimum(letters_before(val), positions - 1), jnp.int32)
    weights = newton(logs, at, jnp.asarray(val[1:], jnp.int32), positions=positions)
    model = Mixture(tuple(each.model for each in predictors), "geometric", positions)
    params = Params(tuple(each.params for each in predictors), weights)
    return Predictor(model, params, tuple(each.stats for each in predictors))


@partial(jax.jit, static_argnames="positions")
def newton(
    logs: Float[Array, "examples components vocab"],
    at: Int[Array, "examples"],
    targets: Int[Array, "examples"],
    *,
    positions: int,
) -> Float[Array, "positions components"]:
    """Return the weights of a geometric mixture with the lowest loss.

    The loss is convex, and that of a position depends on its own weights only. Its gradient is the
    mean of the components' log-probabilities minus that of the target; its Hessian their covariance.
    """
    count = logs.shape[1]
    logs = jnp.maximum(logs, LEAST)
    start = jnp.full((positions, count), 1 / count)
    target = jnp.take_along_axis(logs, targets[:, None, None], axis=2)[:, :, 0]
    total = partial(jax.ops.segment_sum, segment_ids=at, num_segments=positions)

    def loss(weights: Array) -> Array:  # of each position
        probs = jnp.take_along_axis(mix("geometric", logs, weights[at]), targets[:, None], axis=1)
        return PRIOR / 2 * jnp.square(weights - start).sum(axis=1) - total(probs[:, 0])

    def step(weights: Array, _: None) -> tuple[Array, None]:
        probs = jnp.exp(mix("geometric", logs, weights[at]))
        mean = jnp.einsum("nv,nkv->nk", probs, logs)
        apart = logs - mean[:, :, None]
        covariance = jnp.einsum("nv,nkv,nlv->nkl", probs, apart, apart)
        gradient = total(mean - target) + PRIOR * (weights - start)
        hessian = total(covariance) + PRIOR * jnp.eye(count)[None, :, :]
        move = jnp.linalg.solve(hessian, gradient[:, :, None])[None, :, :, 0]
        tried = weights[None, :, :] - jnp.array(SCALES)[:, None, None] * move
        best = jnp.argmin(jax.lax.map(loss, tried), axis=0)
        return tried[best, jnp.arange(positions)], None

    return jax.lax.scan(step, start, length=NEWTON_STEPS)[0]
