"""Optimizers and learning-rate schedules by their names in a recipe.

To add one, write a function of the recipe and add it to `OPTIMIZERS` or `SCHEDULES`. The recipe's
numbers in `HYPER` may be traced arrays, so a function must not branch on them.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import optax
from jaxtyping import Array

from mmjax.train.sgd import sgd

Recipe = Any  # recipe.Recipe, which imports this module
Optimizer = optax.GradientTransformation | optax.GradientTransformationExtraArgs


def step_decay(recipe: Recipe) -> optax.Schedule:
    """Return the lecture's schedule, with one drop of the learning rate.

    From `drop_step` on, the rate is multiplied by `drop_factor`.
    """
    before, after = recipe.learning_rate, recipe.learning_rate * recipe.drop_factor
    return _warmed_up(recipe, lambda step: jnp.where(step < recipe.drop_step, before, after))


def constant(recipe: Recipe) -> optax.Schedule:
    """Return the schedule of a constant learning rate."""
    return _warmed_up(recipe, optax.constant_schedule(recipe.learning_rate))


def linear(recipe: Recipe) -> optax.Schedule:
    """Return the schedule that falls linearly.

    It reaches 0 after the last step.
    """
    warmup = min(recipe.warmup_steps, recipe.steps)
    up = optax.linear_schedule(0.0, recipe.learning_rate, warmup)
    down = optax.linear_schedule(recipe.learning_rate, 0.0, max(1, recipe.steps - warmup))
    return optax.join_schedules([up, down], [warmup])


def cosine(recipe: Recipe) -> optax.Schedule:
    """Return the schedule that falls along half a cosine.

    It reaches 0 after the last step.
    """
    warmup = min(recipe.warmup_steps, recipe.steps)
    up = optax.linear_schedule(0.0, recipe.learning_rate, warmup)
    fall = optax.cosine_decay_schedule(1.0, max(1, recipe.steps - warmup))
    return optax.join_schedules([up, lambda step: recipe.learning_rate * fall(step)], [warmup])


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
}
OPTIMIZERS: dict[str, Callable[[Recipe], Optimizer]] = {
    "sgd": lambda recipe: sgd(schedule_of(recipe)),
    "adamw": lambda recipe: optax.adamw(
        schedule_of(recipe), b2=0.99, weight_decay=recipe.weight_decay
    ),
    "nadamw": lambda recipe: optax.nadamw(
        schedule_of(recipe), b2=0.99, weight_decay=recipe.weight_decay
    ),
}


def schedule_of(recipe: Recipe) -> optax.Schedule:
    """Return the recipe's learning rate as a function of the step."""
    return SCHEDULES[recipe.schedule](recipe)


def optimizer_of(recipe: Recipe) -> Optimizer:
    """Return the recipe's optimizer."""
    optimizer = OPTIMIZERS[recipe.optimizer](recipe)
    if recipe.clip_norm:
        return optax.chain(optax.clip_by_global_norm(recipe.clip_norm), optimizer)
    return optimizer
