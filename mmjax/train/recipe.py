"""Recipes: how to train, as data."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax

from mmjax.data import DATASETS
from mmjax.errors import require, require_ranges
from mmjax.train.optimizers import OPTIMIZERS, SCHEDULES


@jax.tree_util.register_static
@dataclass(frozen=True)
class Recipe:
    """A training recipe; the defaults are the lecture's."""

    steps: int = 200_000
    """Number of training steps."""
    batch_size: int = 32
    """Examples per step, drawn with replacement."""
    data: str = "windows"
    """What a step draws: windows (examples), contexts (distinct contexts with their distributions
    of the next token) or all-contexts (every step takes all of them and ignores the batch size)."""
    optimizer: str = "sgd"
    """Update rule: sgd, adamw or nadamw."""
    schedule: str = "step"
    """Learning-rate schedule: step, constant, linear or cosine; the last two fall to 0."""
    learning_rate: float = 0.1
    """The highest learning rate."""
    drop_step: int = 100_000
    """Step at which the step schedule drops the learning rate."""
    drop_factor: float = 0.1
    """Factor of the learning rate at that drop."""
    warmup_steps: int = 0
    """Steps in which the learning rate rises from 0."""
    weight_decay: float = 0.0
    """Decoupled weight decay of adamw and nadamw: a step subtracts this part of each parameter,
    times the learning rate."""
    penalty: float = 0.0
    """Weight of the parameters' mean square in the loss."""
    clip_norm: float = 0.0
    """Largest norm of the gradient; a larger one is scaled down to it; 0 does not clip."""
    ema_decay: float = 0.0
    """Decay of an exponential moving average of the parameters; 0 keeps no average."""

    def __post_init__(self):
        """Raise `InputError` if a number is out of range or a name is unknown."""
        require_ranges(
            self,
            steps=(0, 2**31 - 1),
            batch_size=(2, 2**20),  # the variance of BatchNorm needs two rows
            learning_rate=(0.0, 1e6),
            drop_step=(0, 2**31 - 1),
            drop_factor=(0.0, 1e6),
            warmup_steps=(0, 2**31 - 1),
            weight_decay=(0.0, 1e6),
            penalty=(0.0, 1e6),
            clip_norm=(0.0, 1e6),
            ema_decay=(0.0, 1.0),
        )
        for name, known in (
            ("data", DATASETS),
            ("optimizer", OPTIMIZERS),
            ("schedule", SCHEDULES),
        ):
            value = getattr(self, name)
            require(value in known, f"{name} must be one of {', '.join(known)}, not {value!r}")
        require(
            self.weight_decay == 0 or self.optimizer != "sgd",
            "sgd has no weight decay; give a weight_decay of 0, or adamw or nadamw as the optimizer",
        )


RECIPES = {
    "lecture": Recipe(),
    "fast": Recipe(
        steps=3_000,
        batch_size=256,
        data="contexts",
        optimizer="nadamw",
        schedule="linear",
        learning_rate=0.02,
        warmup_steps=100,
        weight_decay=0.1,
    ),
}

# The numbers of a recipe that may be arrays, with one value per member of a population.
HYPER = ("learning_rate", "drop_step", "drop_factor", "weight_decay", "penalty")


def with_hyper(recipe: Recipe, hyper: Mapping[str, Any]) -> Recipe:
    """Return a copy of the recipe with the numbers in `hyper` replaced."""
    new = copy.copy(recipe)
    for name, value in hyper.items():
        object.__setattr__(new, name, value)
    return new


def require_hyper(hyper: Mapping[str, Any]) -> None:
    """Raise `InputError` unless all numbers of `hyper` may differ between members."""
    unknown = [name for name in hyper if name not in HYPER]
    require(
        not unknown, f"{', '.join(unknown)} cannot differ between members: {', '.join(HYPER)} can"
    )
