"""What a search shows: the order of the trials, and what to do next.

The findings follow the Deep Learning Tuning Playbook
(https://github.com/google-research/tuning_playbook).
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mmjax.search.choices import Choice, Range
from mmjax.search.space import Trial

EDGE = 0.05  # part of a range that counts as its boundary
NEAR = 0.01  # nats per character within which a trial is near the best
FEW = 4  # trials near the best, with the best, that are too few
NO_EFFECT = (
    0.05  # probability of a difference by chance, above which an option has no visible effect
)
LEVELS = 4  # groups into which the values of a range are divided


class Outcome(NamedTuple):
    """What a trial came to."""

    trial: Trial
    step: int
    """Step at which it ended or was stopped."""
    loss_val: float
    """Validation loss at that step, in nats per character."""
    first_loss: float
    """Validation loss at the first step at which all trials were measured."""
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
        """Standard deviation of the losses between seeds; NaN for a single seed."""
        return float(np.std(self.losses, ddof=1)) if len(self.losses) > 1 else math.nan


class Finding(NamedTuple):
    """Something to know before trusting the winner, and what to do."""

    what: str
    remedy: str


def ranked(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes, best first: those that were trained longest, by validation loss."""
    return sorted(outcomes, key=lambda each: (-each.step, each.loss_val, each.trial.number))


def findings(
    options: Mapping[str, Choice | Range],
    outcomes: Sequence[Outcome],
    finalists: Sequence[Finalist],
) -> list[Finding]:
    """Return what to know about a search before its winner is used.

    `finalists` are sorted, the best first.
    """
    ended = [each for each in outcomes if each.ended and math.isfinite(each.loss_val)]
    if not ended or not finalists:
        return []
    best = finalists[0].trial
    found = [
        finding
        for name, option in options.items()
        for finding in (_boundary(name, option, best), _no_effect(name, option, outcomes))
        if finding
    ]
    lowest = min(each.loss_val for each in ended)
    near = sum(each.loss_val <= lowest + NEAR for each in ended)
    if near < FEW:
        found.append(
            Finding(
                f"{near} of {len(ended)} completed trials {'is' if near == 1 else 'are'} within {NEAR:g} nats "
                "per character of the best",
                "search again with more trials, in narrower ranges around the best",
            )
        )
    return [*found, *_noise(finalists), *_diverged(outcomes)]


def _boundary(name: str, option: Choice | Range, best: Trial) -> Finding | None:
    value = best.options[name]
    place = option.place(value)
    if not option.ordered or EDGE < place < 1 - EDGE:
        return None
    if isinstance(option, Choice) and len(option.choices) < 3:
        return None  # every value of two is at an end
    end = "lowest" if place <= EDGE else "highest"
    return Finding(
        f"the best {name}, {_shown(value)}, is at the {end} end of its values",
        f"extend {name} {'down' if end == 'lowest' else 'up'}ward",
    )


def _no_effect(name: str, option: Choice | Range, outcomes: Sequence[Outcome]) -> Finding | None:
    """Return a finding if the losses do not differ between the values of an option.

    The test is that of Kruskal and Wallis, over the losses at the first measurement.
    """
    from scipy.stats import kruskal  # takes half a second

    groups: dict[Any, list[float]] = {}
    for each in outcomes:
        place = option.place(each.trial.options[name])
        level = place if isinstance(option, Choice) else min(int(place * LEVELS), LEVELS - 1)
        groups.setdefault(level, []).append(min(each.first_loss, 1e9))
    large = [group for group in groups.values() if len(group) >= 3]
    if len(large) < 2 or len({*itertools.chain(*large)}) < 2:
        return None
    chance = float(kruskal(*large).pvalue)
    if chance <= NO_EFFECT:
        return None
    return Finding(
        f"{name} has no visible effect on the validation loss (p = {chance:.2f}, Kruskal-Wallis test)",
        f"fix {name} at its simplest value, or search it with fewer other options",
    )


def _noise(finalists: Sequence[Finalist]) -> list[Finding]:
    """Return a finding if the best finalist is not better than the second by more than chance."""
    if len(finalists) < 2 or len(finalists[0].losses) < 2:
        return []
    first, second, *_ = finalists
    gap = second.mean - first.mean
    error = math.hypot(first.std, second.std) / math.sqrt(len(first.losses))
    if gap > 2 * error:
        return []
    return [
        Finding(
            f"the winner is {gap:.4f} nats per character better than the second, with a standard error "
            f"between seeds of {error:.4f}",
            "take the cheaper or simpler of the two, or train both with more --seeds",
        )
    ]


def _diverged(outcomes: Sequence[Outcome]) -> list[Finding]:
    lost = sum(not math.isfinite(each.loss_val) for each in outcomes)
    if not lost:
        return []
    return [
        Finding(
            f"the training of {lost} of {len(outcomes)} trials is not finite",
            "lower the highest learning_rate, or set clip_norm in [fixed]",
        )
    ]


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def pareto(costs: Sequence[float], losses: Sequence[float]) -> list[int]:
    """Return which points no other point beats in both cost and loss, by rising cost."""
    front, lowest = [], math.inf
    for i in sorted(range(len(costs)), key=lambda i: (costs[i], losses[i])):
        if losses[i] < lowest:
            front.append(i)
            lowest = losses[i]
    return front
