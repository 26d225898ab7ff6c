"""Checks of the list, its parts, and how training reads them."""

import math
from collections.abc import Iterator

import numpy as np

from mmjax.diagnostics.evidence import Evidence
from mmjax.diagnostics.finding import Finding
from mmjax.diagnostics.probe import READINGS

MIN_READING = 0.1  # nats by which another reading is better
MIN_EXAMPLES = 200  # with fewer, another reading may be better by chance
MAX_LEAK = 0.02  # share of the validation names, above what repeated names explain
MIN_LOG_P = -9.0  # log10 of the probability of parts that differ as much
# of the targets, and their number: rarer tokens are not looked at
MISSING_SHARE, MISSING_COUNT = 0.01, 20
MAX_MISSING = 0.1  # predicted share over observed share
SIGMAS = 5  # standard errors of a share


def readings(evidence: Evidence) -> Iterator[Finding]:
    """Find a list that is read in another way than in training.

    The model must have learned the other way: its loss must be below that of guessing.
    """
    if not evidence.probe or evidence.probe.examples < MIN_EXAMPLES:
        return
    own, *others = evidence.probe.losses.items()
    name, loss = min(others, key=lambda item: item[1])
    if own[1] - loss > MIN_READING and loss < _guessing(evidence):
        yield Finding(
            name,
            f"loss of the list as it is, minus that of {READINGS[name]}",
            own[1] - loss,
            MIN_READING,
            "the same contexts and targets in training and in evaluation: corpus.windows makes both",
            " nats",
            "fault",
        )


def missing_tokens(evidence: Evidence) -> Iterator[Finding]:
    """Find a token that occurs in validation, and that the model hardly ever predicts."""
    if not evidence.probe or (evidence.steps or 0) < 100:
        return
    if not evidence.probe.losses["as they are"] < _guessing(evidence):
        return
    observed, predicted = evidence.probe.observed, evidence.probe.predicted
    least = max(MISSING_SHARE, MISSING_COUNT / evidence.probe.examples)
    common = np.flatnonzero(observed > least)
    if not len(common):
        return
    worst = common[np.argmin(predicted[common] / observed[common])]
    ratio = float(predicted[worst] / observed[worst])
    if ratio < MAX_MISSING:
        what = "the boundary, token 0" if worst == 0 else f"token {worst}"
        yield Finding(
            "missing token",
            f"{what}: predicted share over its share of the validation part",
            ratio,
            MAX_MISSING,
            "one alphabet for all parts, and names with a boundary between them: corpus.encode",
            grade="fault",
        )


def leak(evidence: Evidence) -> Iterator[Finding]:
    """Find validation names that stand in training, unless the list repeats its names."""
    lists = evidence.lists
    if not lists or lists.repeats > 1:
        return
    expected = lists.shared_expected
    error = (max(expected, 0.01) * (1 - min(expected, 0.99)) / lists.names_val) ** 0.5
    limit = expected + MAX_LEAK + SIGMAS * error
    if lists.shared > limit:
        yield Finding(
            "training names in validation",
            "validation names that stand in training",
            100 * lists.shared,
            100 * limit,
            "parts that share no name: corpus.split of a list that is read with --unique",
            " %",
            "fault",
            {"unique": True},
        )


def repeated(evidence: Evidence) -> Iterator[Finding]:
    """Find a list in which every name occurs several times."""
    lists = evidence.lists
    if lists and lists.repeats > 1:
        yield Finding(
            *("repeated list", "times that each name occurs, at least", lists.repeats, 1),
            "each name once: --unique",
            changes={"unique": True},
        )


def order(evidence: Evidence) -> Iterator[Finding]:
    """Find parts that are no random samples of one list."""
    lists = evidence.lists
    if lists and lists.log_p < MIN_LOG_P:
        yield Finding(
            "parts that differ",
            "first letters or lengths of training and validation names, log10 of the probability",
            max(lists.log_p, -1_000),
            MIN_LOG_P,
            "a list that is shuffled before it is split: corpus.split with shuffles=2",
            changes={"shuffles": 2},
        )


def _guessing(evidence: Evidence) -> float:
    """Return the loss of equally likely tokens; a model above it has learned nothing."""
    return math.log(len(evidence.probe.observed)) if evidence.probe else math.inf
