"""What to know about a search before using its winner.

The findings follow the Deep Learning Tuning Playbook
(https://github.com/google-research/tuning_playbook).
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mmjax.search.choices import Choice, Range
from mmjax.search.outcome import Finalist, Outcome
from mmjax.search.space import Trial

EDGE = 0.05  # part of a range that counts as its boundary
NEAR = 0.01  # nats per character within which a trial is near the best
NEIGHBOURS = 4  # trials, with the best one, that should be near the best
# Probability of a difference by chance, above which an option has no visible effect.
NO_EFFECT = 0.05
LEVELS = 4  # groups into which the values of a range are divided


class Finding(NamedTuple):
    """Something to know before trusting the winner, and what to do."""

    what: str
    remedy: str


def findings(
    options: Mapping[str, Choice | Range],
    outcomes: Sequence[Outcome],
    finalists: Sequence[Finalist],
) -> list[Finding]:
    """Return what to know about a search before its winner is used.

    `finalists` are sorted, the best first.
    """
    if not finalists:
        return _diverged(outcomes)
    best = finalists[0].trial
    found = [
        finding
        for name, option in options.items()
        for finding in (_boundary(name, option, best), _no_effect(name, option, outcomes))
        if finding
    ]
    return [*found, *_sparse(outcomes), *_noise(finalists), *_diverged(outcomes)]


def _sparse(outcomes: Sequence[Outcome]) -> list[Finding]:
    """Return a finding if few trials are near the best of those that were trained to the end."""
    losses = [each.loss_val for each in outcomes if each.ended and math.isfinite(each.loss_val)]
    near = sum(loss <= min(losses) + NEAR for loss in losses)
    if len(losses) < 2 * NEIGHBOURS or near >= NEIGHBOURS:
        return []
    return [
        Finding(
            f"only {near} of {len(losses)} completed trials {'is' if near == 1 else 'are'} within "
            f"{NEAR:g} nats per character of the best",
            "search again with more trials, in narrower ranges around the best",
        )
    ]


def _boundary(name: str, option: Choice | Range, best: Trial) -> Finding | None:
    value = best.options[name]
    place = option.place(value)
    if not option.ordered or EDGE < place < 1 - EDGE:
        return None
    if isinstance(option, Choice) and len(option.choices) < 3:
        return None  # every value of two is at an end
    end = "lowest" if place <= EDGE else "highest"
    if end == "lowest" and value == 0:
        return None  # there is nothing below
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
    step = min(each.first_step for each in outcomes)
    return Finding(
        f"no visible effect of {name} on the validation loss after {step:,} steps (p = {chance:.2f}, "
        "Kruskal-Wallis test)",
        f"fix {name} at its simplest value, or, if it should matter later, give a later first_rung or "
        "more trials",
    )


def _noise(finalists: Sequence[Finalist]) -> list[Finding]:
    """Return a finding if the best finalist is not better than the second by more than chance."""
    if len(finalists) < 2 or len(finalists[0].losses) < 2:
        return [
            Finding(
                "the winner's lead cannot be compared with the noise of seeds, which takes two finalists "
                "and two seeds",
                "give a larger keep, more trials, or more --seeds",
            )
        ]
    first, second, *_ = finalists
    gap = second.mean - first.mean
    if not math.isfinite(gap):
        return []
    error = math.hypot(first.std, second.std) / math.sqrt(len(first.losses))
    if gap > 2 * error:
        return []
    return [
        Finding(
            f"the winner's lead of {gap:.4f} nats per character may be chance: its standard error over "
            f"seeds is {error:.4f}",
            "take the cheaper or simpler of the two best, or train them with more --seeds",
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
