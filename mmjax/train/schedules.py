"""Learning-rate schedules by their names in a recipe.

To add one, write a function of the recipe and add it to `SCHEDULES`. The recipe's numbers in
`HYPER` may be traced arrays, so a function must not branch on them.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import optax
from jaxtyping import Array

Recipe = Any  # recipe.Recipe, which imports this module
RISE = 1e6  # factor from the first to the last rate of the rising schedule


def step_decay(recipe: Recipe) -> optax.Schedule:
    """Return the lecture's schedule, with one drop of the learning rate.

    From `drop_step` on, the rate is multiplied by `drop_factor`. In the first `warmup_steps` it
    rises from 0.
    """
    before, after = recipe.learning_rate, recipe.learning_rate * recipe.drop_factor
    return _warmed_up(recipe, lambda step: jnp.where(step < recipe.drop_step, before, after))


def constant(recipe: Recipe) -> optax.Schedule:
    """Return the schedule of a constant learning rate, after a linear rise in `warmup_steps`."""
    return _warmed_up(recipe, optax.constant_schedule(recipe.learning_rate))


def linear(recipe: Recipe) -> optax.Schedule:
    """Return the schedule that falls linearly.

    It rises from 0 in `warmup_steps`, then falls and reaches 0 after the last step.
    """
    warmup = min(recipe.warmup_steps, recipe.steps)
    up = optax.linear_schedule(0.0, recipe.learning_rate, warmup)
    down = optax.linear_schedule(recipe.learning_rate, 0.0, max(1, recipe.steps - warmup))
    return optax.join_schedules([up, down], [warmup])


def cosine(recipe: Recipe) -> optax.Schedule:
    """Return the schedule that falls along half a cosine.

    It rises from 0 in `warmup_steps`, then falls and reaches 0 after the last step.
    """
    warmup = min(recipe.warmup_steps, recipe.steps)
    up = optax.linear_schedule(0.0, recipe.learning_rate, warmup)
    fall = optax.cosine_decay_schedule(1.0, max(1, recipe.steps - warmup))
    return optax.join_schedules([up, lambda step: recipe.learning_rate * fall(step)], [warmup])


def one_cycle(recipe: Recipe) -> optax.Schedule:
    """Return the schedule that rises and falls along cosines.

    It starts at a 25th of the highest rate, which it reaches after `warmup_steps`, or after 30 % of
    the steps if there are none, and ends at a 250,000th. Source: Smith and Topin, Super-Convergence
    (https://arxiv.org/abs/1708.07120).
    """
    steps = max(2, recipe.steps)
    rise = min(0.99, recipe.warmup_steps / steps) or 0.3
    cycle = optax.cosine_onecycle_schedule(steps, 1.0, pct_start=rise)
    return lambda step: recipe.learning_rate * cycle(step)


def rising(recipe: Recipe) -> optax.Schedule:
    """Return the schedule that grows exponentially, for a test of learning rates.

    The first rate is `learning_rate` / `RISE`, the last one `learning_rate`. See `train.rate_test`.
    """
    last = max(1, recipe.steps - 1)
    return lambda step: recipe.learning_rate * RISE ** (jnp.asarray(step) / last - 1.0)


def _warmed_up(recipe: Recipe, schedule: optax.Schedule) -> optax.Schedule:
    if recipe.warmup_steps == 0:
        return lambda step: schedule(jnp.asarray(step))

    def warmed_up(step: Any) -> Array:
        rise = jnp.minimum(1.0, jnp.asarray(step) / recipe.warmup_steps)
        return rise * schedule(jnp.asarray(step))

    return warmed_up


SCHEDULES: dict[str, Callable[[Recipe], optax.Schedule]] = {
    "step": step_decay,
    "constant": constant,
    "linear": linear,
    "cosine": cosine,
    "one-cycle": one_cycle,
    "rising": rising,
}


def schedule_of(recipe: Recipe) -> optax.Schedule:
    """Return the recipe's learning rate as a function of the step."""
    return SCHEDULES[recipe.schedule](recipe)
