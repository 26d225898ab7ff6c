"""Exercise 12: train many models at once."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.exercises.exercise import Exercise, Function, array, hold, kind, same

COUNT, STEPS = 5, 7


@jax.jit
def train_one(key: jax.Array) -> jax.Array:
    """Return the losses of a small training run: a weight that gradient descent draws to 3."""

    def step(weight: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        return weight - 0.2 * (weight - 3), (weight - 3) ** 2

    return jax.lax.scan(step, jax.random.normal(key), None, STEPS)[1]


def keys_of(count: int = COUNT) -> jax.Array:
    """Return the keys of as many runs."""
    return jax.random.split(jax.random.key(12), count)


def found(value: Any, count: int = COUNT) -> np.ndarray:
    """Return the learner's losses."""
    return array(value, (count, STEPS), f"with {count} keys and {STEPS} losses of each, losses")


def every_run(train_many: Function) -> None:
    """There is a row of losses for every key."""
    found(train_many(train_one, keys_of()))
    found(train_many(train_one, keys_of(1)), 1)


def row_is_run(train_many: Function) -> None:
    """A row is the run of its key."""
    losses = found(train_many(train_one, keys_of()))
    for i, key in enumerate(keys_of()):
        hint = "does each key have its own run, in their order?"
        same(losses[i], train_one(key), f"the loss of run {i}", lambda hint=hint: hint)


def order_of_keys(train_many: Function) -> None:
    """Keys in another order give the rows in that order."""
    losses = found(train_many(train_one, keys_of()))
    order = np.array([3, 0, 4, 1, 2])
    same(
        found(train_many(train_one, keys_of()[order])), losses[order], "after reordering, the loss"
    )


def traced_once(train_many: Function) -> None:
    """All runs are trained at once."""
    calls = []

    def counted(key: jax.Array) -> jax.Array:
        calls.append(key)
        return train_one(key)

    train_many(counted, keys_of(11))
    hold(
        1 <= len(calls) <= 3,
        f"11 keys called train_one {len(calls)} times; jax.vmap calls it once, to trace it"
        " (is there a Python loop?)",
    )
    loop = str(jax.make_jaxpr(lambda keys: train_many(jax.random.normal, keys))(keys_of()))
    hold(
        "scan" not in loop and "while" not in loop,
        "trains one run after the other, in a loop; jax.vmap trains all at once",
    )


def any_result(train_many: Function) -> None:
    """A run may return one number or an array of any shape."""
    for shape in ((), (2, 3)):
        losses = train_many(lambda key, shape=shape: jax.random.normal(key, shape), keys_of())
        array(losses, (COUNT, *shape), f"if train_one returns the shape {[*shape]}, losses")


def inside_jit(train_many: Function) -> None:
    """It works inside jax.jit."""
    losses = jax.jit(lambda keys: train_many(train_one, keys))(keys_of())
    hold(isinstance(losses, jnp.ndarray), f"inside jax.jit, losses are {kind(losses)}")
    same(found(losses), found(train_many(train_one, keys_of())), "inside jax.jit, the loss")


EXERCISE = Exercise(
    12,
    "train many models at once",
    "train_many(train_one, keys: jax.Array) -> jax.Array",
    """Train a model for each key, all at once.

train_one(key) trains one model and returns its losses, an array. keys has n keys of jax.random.
Return the losses of all models, stacked along a first axis [n, ...]: row i is
train_one(keys[i]). Call train_one once, by jax.vmap, not once for each key.
""",
    (every_run, row_is_run, order_of_keys, traced_once, any_result, inside_jit),
    "import jax\n",
)
