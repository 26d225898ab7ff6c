"""The rules of the records: which entry counts."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.speedruns.entries import ENTRIES
from experiments.speedruns.tracks import Track
from experiments.speedruns.trial import Trial
from mmjax.runs.seeds import spread

BOUND = 3.09  # standard errors: p < 0.001 one-sided
OFFICIAL = 20  # seeds
ROUNDING = 1e-9  # standard deviation that says nothing


def score(values: Sequence[float], bound: float) -> float:
    """Return how many standard errors the mean of `values` is below `bound`.

    It is infinite if all values are the same up to rounding, and NaN if there is only one.
    """
    if len(values) < 2:
        return math.nan
    below = bound - float(np.mean(values))
    sigma = spread(values)
    if sigma < ROUNDING:
        return math.copysign(math.inf, below)
    return below * len(values) ** 0.5 / sigma


def better(track: Track, new: Trial, old: Trial, steps: tuple[int | None, int | None]) -> float:
    """Return by how many standard errors `new` beats `old` in the figure of the track.

    Seconds and losses are compared seed by seed. Steps have no error.
    """
    if track.figure == "steps":
        return score([float(steps[0] or 0)] * 2, float(steps[1] or 0))
    pairs = (new.seconds, old.seconds) if track.figure == "seconds" else (new.losses, old.losses)
    return score([a - b for a, b in zip(*pairs, strict=True)], 0.0)


def counts(log: dict[str, Any]) -> str:
    """Return "yes", or why the log is no record."""
    known = list(ENTRIES[log["track"]])
    if len(log["seeds"]) < OFFICIAL:
        return f"no: it has fewer than {OFFICIAL} seeds"
    if log["limit"] is not None and max(log["seconds"]) > log["limit"]:
        return f"no: a run took more than {log['limit']:g} s"
    if log["target"] is not None and not log["score"] >= BOUND:
        return "no: it does not reach the target significantly"
    if log["against"] is None:
        first = log["entry"] == known[0]
        return "yes" if first else "no: it has not run in turns with the entry before"
    if not log["score_against"] >= BOUND:
        return f"no: it is not significantly better than {log['against']}"
    return "yes"
