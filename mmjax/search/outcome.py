"""The outcomes of trials and finalists, and their order."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmjax.search.space import Trial


class Outcome(NamedTuple):
    """The result of a trial."""

    trial: Trial
    step: int
    """Step at which it ended or was stopped."""
    loss_val: float
    """Validation loss at that step, in nats per character."""
    first_step: int
    """Step of the first measurement."""
    first_loss: float
    """Validation loss at that step."""
    ended: bool
    """Whether it was trained to its last step."""
    parameters: int
    seconds: float
    """Seconds of training up to that step."""


class Finalist(NamedTuple):
    """A trial that was trained again with other seeds."""

    trial: Trial
    losses: Sequence[float]
    """Validation loss of each seed, in nats per character."""

    @property
    def mean(self) -> float:
        """Mean of the losses."""
        return float(np.mean(self.losses))

    @property
    def std(self) -> float:
        """Standard deviation of the losses between seeds; NaN for a single or a lost one."""
        several = len(self.losses) > 1 and np.isfinite(self.losses).all()
        return float(np.std(self.losses, ddof=1)) if several else math.nan


def ranked(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes, best first.

    Those that were trained to the end come first, then by steps (most first) and validation loss.
    """

    def order(each: Outcome) -> tuple[bool, int, float, int]:
        return (not each.ended, 0 if each.ended else -each.step, each.loss_val, each.trial.number)

    return sorted(outcomes, key=order)


def pareto(costs: Sequence[float], losses: Sequence[float]) -> list[int]:
    """Return which points no other point beats in both cost and loss, by rising cost."""
    front, lowest = [], math.inf
    for i in sorted(range(len(costs)), key=lambda i: (costs[i], losses[i])):
        if losses[i] < lowest:
            front.append(i)
            lowest = losses[i]
    return front
