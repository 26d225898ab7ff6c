"""Time entries in turns, and judge what they reached."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.speedruns.course import Course
from experiments.speedruns.entries import Entry, Track
from mmjax import evaluate
from mmjax.model import parameter_count
from mmjax.runs.seeds import spread

BOUND = 3.09  # standard errors: p < 0.001 one-sided
WARM_UP = 2**31  # the seed that is not timed


class Try(NamedTuple):
    """A timed run of an entry."""

    seed: int
    seconds: float
    loss_val: float


class Trial(NamedTuple):
    """All timed runs of an entry."""

    warm_up: float
    """Seconds of the first run, with compilation."""
    parameters: int
    tries: list[Try]

    @property
    def losses(self) -> list[float]:
        """Validation loss of each run."""
        return [each.loss_val for each in self.tries]

    @property
    def seconds(self) -> list[float]:
        """Seconds of each run."""
        return [each.seconds for each in self.tries]


def timed(entry: Entry, course: Course, seed: int) -> tuple[float, Any]:
    """Run an entry; return (seconds until its weights are ready, predictor)."""
    started = time.perf_counter()
    predictor = jax.block_until_ready(entry.run(course, seed))
    return time.perf_counter() - started, predictor


def in_turns(
    entries: Mapping[str, Entry], course: Course, seeds: Sequence[int]
) -> Iterator[tuple[str, float, Any]]:
    """Yield (entry, seconds, predictor): a first run of each entry, then all of them by seed."""
    for seed in (WARM_UP, *seeds):
        for name, entry in entries.items():
            yield name, *timed(entry, course, seed)


def tried(entries: Mapping[str, Entry], course: Course, seeds: Sequence[int]) -> Iterator[Any]:
    """Yield (entry, its trial so far) after each run; validation is not timed."""
    trials: dict[str, Trial] = {}
    for name, seconds, predictor in in_turns(entries, course, seeds):
        if name not in trials:
            trials[name] = Trial(seconds, parameter_count(predictor.params), [])
        else:
            seed = seeds[len(trials[name].tries)]
            loss = evaluate.loss(predictor, course.val)
            trials[name].tries.append(Try(seed, seconds, loss))
        yield name, trials[name]


def score(values: Sequence[float], bound: float) -> float:
    """Return how many standard errors the mean of `values` is below `bound`.

    It is infinite if all values are the same, and NaN if there is only one.
    """
    if len(values) < 2:
        return math.nan
    below = bound - float(np.mean(values))
    sigma = spread(values)
    return math.copysign(math.inf, below) if sigma == 0 else below * len(values) ** 0.5 / sigma


def better(track: Track, new: Trial, old: Trial, steps: tuple[int | None, int | None]) -> float:
    """Return by how many standard errors `new` beats `old` in the figure of the track.

    Seconds and losses are compared seed by seed. Steps have no error.
    """
    if track.figure == "steps":
        return score([float(steps[0] or 0)] * 2, float(steps[1] or 0))
    pairs = (new.seconds, old.seconds) if track.figure == "seconds" else (new.losses, old.losses)
    return score([a - b for a, b in zip(*pairs, strict=True)], 0.0)
