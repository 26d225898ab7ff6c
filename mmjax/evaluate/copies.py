"""Copies: how many sampled names stand in the list, or nearly."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mmjax.evaluate.nearest import within_one_edit


class Copies(NamedTuple):
    """Sampled names beside the list they were learned from; all numbers are shares of 1."""

    samples_new: float
    """Samples that do not stand in the list."""
    samples_listed: float
    """Samples that stand in the list, letter by letter."""
    samples_near: float | None
    """New samples within one edit of a listed name, of all new ones; None if no sample is new, or the
    list is too long to look."""
    samples_distinct: float
    """Distinct names among the samples."""
    held_out_listed: float
    """Names of validation and test that also stand in training."""
    ideal_listed: float
    """Samples that would stand in the list if the model had learned no name by heart."""


def copies(samples: Sequence[str], parts: Mapping[str, Sequence[str]]) -> Copies:
    """Compare samples with the names of each part of the list.

    `parts` are train, val and test. `ideal_listed` is an estimate. A model cannot copy names that
    it was not trained on, so the share of samples that stand only in validation and test, divided
    by their share of the listed names, is what a model without copies would show. Where names
    repeat, that misses the frequent ones, and `held_out_listed` is the better estimate: the larger
    of both is taken.
    """
    held_out = [*parts["val"], *parts["test"]]
    training = frozenset(parts["train"])
    unseen = frozenset(held_out) - training
    listed = training | unseen
    new = [name for name in samples if name not in listed]
    of_unseen = sum(name in unseen for name in samples) / len(samples)
    repeated = sum(name in training for name in held_out) / len(held_out)
    chance = of_unseen * len(listed) / len(unseen) if unseen else 0.0
    return Copies(
        samples_new=len(new) / len(samples),
        samples_listed=1 - len(new) / len(samples),
        samples_near=sum(within_one_edit(new, [*listed])) / len(new) if new else None,
        samples_distinct=len(frozenset(samples)) / len(samples),
        held_out_listed=repeated,
        ideal_listed=min(1.0, max(repeated, chance)),
    )
