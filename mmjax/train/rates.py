"""A test of learning rates: one short run whose rate grows."""

from dataclasses import replace
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Key

from mmjax.data import Data
from mmjax.errors import require
from mmjax.model import Model
from mmjax.train import members
from mmjax.train.recipe import Recipe
from mmjax.train.schedules import schedule_of

SMOOTHING = 0.02  # of the steps: the time constant of the moving average
SAFETY = 10.0  # the proposed rate is this much below the one with the lowest loss


class RateTest(NamedTuple):
    """The outcome of a test of learning rates."""

    rates: Float[np.ndarray, "steps"]
    """Learning rate of each step."""
    losses: Float[np.ndarray, "steps"]
    """Smoothed loss of each step's batch, a mean over the seeds; NaN from where it diverged."""
    lowest: float
    """The rate with the lowest loss."""
    proposed: float
    """A rate to train with: a tenth of `lowest`."""


def rate_test(
    model: Model,
    recipe: Recipe,
    keys: Key[Array, "seeds"],
    data: Data,
    *,
    highest: float = 10.0,
    steps: int = 1_000,
) -> RateTest:
    """Find a learning rate for a model and a recipe.

    One run for each key trains for `steps` steps, while the rate grows exponentially to `highest`
    from a millionth of it. A good rate is some way below the one where the loss stops falling.
    Raises `InputError` if there are fewer than 100 steps, if every loss is non-finite, or as
    `train.run` does.

    Source: Smith, Cyclical Learning Rates for Training Neural Networks, section 3.3
    (https://arxiv.org/abs/1506.01186).
    """
    require(steps >= 100, f"a test of learning rates needs at least 100 steps, not {steps}")
    tested = replace(recipe, steps=steps, schedule="rising", learning_rate=highest)
    states = members.init(model, tested, keys)
    _, losses = members.advance(model, tested, states, data, steps=steps)
    rates = np.asarray(jax.vmap(schedule_of(tested))(np.arange(steps)), np.float64)
    smooth = np.mean([_smoothed(each) for each in np.asarray(losses, np.float64)], axis=0)
    require(
        bool(np.isfinite(smooth[steps // 10])),
        f"training diverges at once; give a highest rate below {highest:g}",
    )
    lowest = float(rates[np.nanargmin(smooth)])
    return RateTest(rates, smooth, lowest, lowest / SAFETY)


def _smoothed(losses: np.ndarray) -> np.ndarray:
    """Return the bias-corrected moving average, NaN from the first non-finite loss on."""
    decay = 1 - 1 / (SMOOTHING * len(losses))
    bad = np.flatnonzero(~np.isfinite(losses))
    end = bad[0] if len(bad) else len(losses)
    average, smooth = 0.0, np.full(len(losses), np.nan)
    for i, loss in enumerate(losses[:end]):
        average = decay * average + (1 - decay) * loss
        smooth[i] = average / (1 - decay ** (i + 1))
    return smooth
