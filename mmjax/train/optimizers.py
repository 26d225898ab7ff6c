"""Optimizers by their names in a recipe.

To add one, write a function of the recipe and add it to `OPTIMIZERS`. The recipe's numbers in
`HYPER` may be traced arrays, so a function must not branch on them.
"""

from collections.abc import Callable
from typing import Any

import optax

from mmjax.train.schedules import schedule_of
from mmjax.train.sgd import sgd

Recipe = Any  # recipe.Recipe, which imports this module
Optimizer = optax.GradientTransformation | optax.GradientTransformationExtraArgs


def momentum(recipe: Recipe, *, nesterov: bool) -> Optimizer:
    """Return SGD with momentum `beta1` and decoupled weight decay."""
    return optax.chain(
        optax.trace(recipe.beta1, nesterov),
        optax.add_decayed_weights(recipe.weight_decay),
        optax.scale_by_learning_rate(schedule_of(recipe)),
    )


def adamw(recipe: Recipe, *, nesterov: bool) -> Optimizer:
    """Return AdamW, or NAdamW, with the recipe's `beta1`, `beta2` and weight decay."""
    return optax.adamw(
        *(schedule_of(recipe), recipe.beta1, recipe.beta2),
        weight_decay=recipe.weight_decay,
        nesterov=nesterov,
    )


def lion(recipe: Recipe) -> Optimizer:
    """Return Lion: the sign of a moving average of gradients (https://arxiv.org/abs/2302.06675)."""
    return optax.lion(
        *(schedule_of(recipe), recipe.beta1, recipe.beta2), weight_decay=recipe.weight_decay
    )


def muon(recipe: Recipe) -> Optimizer:
    """Return Muon for matrices, and AdamW for the other parameters.

    Muon replaces each matrix of updates by the nearest orthogonal one. Source: Jordan et al., Muon
    (https://kellerjordan.github.io/posts/muon/).
    """
    return optax.contrib.muon(
        schedule_of(recipe),
        weight_decay=recipe.weight_decay,
        adam_b1=recipe.beta1,
        adam_b2=recipe.beta2,
        adam_weight_decay=recipe.weight_decay,
    )


OPTIMIZERS: dict[str, Callable[[Recipe], Optimizer]] = {
    "sgd": lambda recipe: sgd(schedule_of(recipe)),
    "momentum": lambda recipe: momentum(recipe, nesterov=False),
    "nesterov": lambda recipe: momentum(recipe, nesterov=True),
    "adamw": lambda recipe: adamw(recipe, nesterov=False),
    "nadamw": lambda recipe: adamw(recipe, nesterov=True),
    "lion": lion,
    "muon": muon,
}


def optimizer_of(recipe: Recipe) -> Optimizer:
    """Return the recipe's optimizer.

    It clips the gradient by its global norm first, if `clip_norm` is above 0.
    """
    optimizer = OPTIMIZERS[recipe.optimizer](recipe)
    if recipe.clip_norm:
        return optax.chain(optax.clip_by_global_norm(recipe.clip_norm), optimizer)
    return optimizer
