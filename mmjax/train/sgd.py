"""Stochastic gradient descent by hand, as an optax optimizer."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int


class SGDState(NamedTuple):
    """The number of updates so far.

    The learning rate is a function of this number.
    """

    step: Int[Array, ""]


def sgd(schedule: optax.Schedule) -> optax.GradientTransformation:
    """Return the optimizer whose updates are -schedule(step) * gradients."""
    update = partial(_update, schedule)
    return optax.GradientTransformation(_init, update)  # pyright: ignore[reportArgumentType]


def _init(params: Any) -> SGDState:
    del params
    return SGDState(jnp.zeros((), jnp.int32))


def _update(
    schedule: optax.Schedule, grads: Any, state: SGDState, params: Any = None
) -> tuple[Any, SGDState]:
    del params
    rate = schedule(state.step)
    updates = jax.tree.map(lambda g: -jnp.asarray(rate, g.dtype) * g, grads)
    return updates, SGDState(state.step + 1)
