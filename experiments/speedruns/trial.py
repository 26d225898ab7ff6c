"""Time entries in turns."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from experiments.speedruns.course import Course
from experiments.speedruns.tracks import Entry
from mmjax import evaluate
from mmjax.model import parameter_count

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
