"""Recipes: how to train, as data."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import jax

from mmjax.data import DATASETS
from mmjax.errors import require, require_ranges
from mmjax.model import Model
from mmjax.train.optimizers import OPTIMIZERS
from mmjax.train.schedules import SCHEDULES

Config = TypeVar("Config")


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
    noise: float = 0.0
    """Replace the oldest character of a context by a random letter with this probability, newer ones
    less often, and the newest never."""
    optimizer: str = "sgd"
    """Update rule: sgd, momentum, nesterov, adamw, nadamw, lion or muon."""
    schedule: str = "step"
    """Learning-rate schedule: step, constant, linear, cosine or one-cycle (the last three fall to 0),
    or rising, which is for a test of rates."""
    learning_rate: float = 0.1
    """The highest learning rate."""
    drop_step: int = 100_000
    """Step at which the step schedule drops the learning rate."""
    drop_factor: float = 0.1
    """Factor of the learning rate at that drop."""
    warmup_steps: int = 0
    """Steps in which the learning rate rises from 0."""
    weight_decay: float = 0.0
    """Decoupled weight decay, which sgd has not. Each step subtracts
    learning_rate * weight_decay * parameter from each parameter."""
    penalty: float = 0.0
    """Weight of the parameters' mean square in the loss."""
    clip_norm: float = 0.0
    """Largest norm of the gradient; a larger one is scaled down to it; 0 does not clip."""
    ema_decay: float = 0.0
    """Decay of an exponential moving average of the parameters, which is then evaluated, saved and
    sampled from; 0 keeps no average."""
    beta1: float = 0.9
    """Momentum, and decay of the mean of gradients in adamw, nadamw, lion and muon."""
    beta2: float = 0.99
    """Decay of the mean of squared gradients in adamw, nadamw and muon; the second decay of lion."""
    early_stopping: bool = False
    """Stop when the validation loss has stopped improving, and keep the weights that had the
    lowest."""
    patience: int = 5
    """Stop early after this many measurements of the validation loss without a lower one."""

    def __post_init__(self):
        """Raise `InputError` if a number is out of range or a name is unknown."""
        require_ranges(
            self,
            steps=(0, 2**31 - 1),
            batch_size=(2, 2**20),  # the variance of BatchNorm needs two rows
            noise=(0.0, 1.0),
            learning_rate=(0.0, 1e6),
            drop_step=(0, 2**31 - 1),
            drop_factor=(0.0, 1e6),
            warmup_steps=(0, 2**31 - 1),
            weight_decay=(0.0, 1e6),
            penalty=(0.0, 1e6),
            clip_norm=(0.0, 1e6),
            ema_decay=(0.0, 1.0),
            beta1=(0.0, 1.0),
            beta2=(0.0, 1.0),
            patience=(1, 2**31 - 1),
        )
        for name, known in (
            ("data", DATASETS),
            ("optimizer", OPTIMIZERS),
            ("schedule", SCHEDULES),
        ):
            value = getattr(self, name)
            require(value in known, f"{name} must be one of {', '.join(known)}, not {value!r}")
        require(
            self.noise == 0 or self.data != "all-contexts",
            "all-contexts takes every context as it is; give a noise of 0, or other data",
        )
        require(
            self.weight_decay == 0 or self.optimizer != "sgd",
            "sgd has no weight decay; give a weight_decay of 0, or another optimizer",
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
        early_stopping=True,
    ),
}

# The numbers of a recipe that may be arrays, with one value per member of a population.
HYPER = (
    *("learning_rate", "drop_step", "drop_factor", "weight_decay", "penalty"),
    *("beta1", "beta2"),
)


def may_differ(model: Model) -> tuple[str, ...]:
    """Return the names of the numbers that may differ between members.

    They are the recipe's in `HYPER`, and those that the model lists in an attribute `HYPER`.
    """
    return (*HYPER, *getattr(model, "HYPER", ()))


def with_hyper(config: Config, hyper: Mapping[str, Any]) -> Config:
    """Return a copy of a recipe or a model with its numbers in `hyper` replaced."""
    own = {name: value for name, value in hyper.items() if hasattr(config, name)}
    if not own:
        return config
    new = copy.copy(config)
    for name, value in own.items():
        object.__setattr__(new, name, value)
    return new


def require_hyper(hyper: Mapping[str, Any], model: Model) -> None:
    """Raise `InputError` unless all numbers of `hyper` may differ between members."""
    known = may_differ(model)
    unknown = [name for name in hyper if name not in known]
    require(
        not unknown, f"{', '.join(unknown)} cannot differ between members: {', '.join(known)} can"
    )
