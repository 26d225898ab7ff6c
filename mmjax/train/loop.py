"""The training loop on the host.

It runs chunks of steps, with measurements and output between them.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from mmjax import data as datasets
from mmjax.data import Data
from mmjax.model import Model
from mmjax.train import members
from mmjax.train.optimizers import Optimizer
from mmjax.train.placement import on_first_device
from mmjax.train.recipe import Recipe
from mmjax.train.step import TrainState
from mmjax.train.steps import Observer, advance, copied

FINAL = 100  # number of last steps whose mean is the final loss

Record = dict[str, float]


class Progress(NamedTuple):
    """How far training has come.

    The losses are lists with one entry per member.
    """

    step: int
    seconds: float
    """Time of the steps, including compilation, without the work between chunks."""
    initial_loss: Sequence[float | None]
    """Loss of the first step's batch."""
    last_losses: Sequence[Sequence[float]]
    """Losses of the last `FINAL` steps."""

    @classmethod
    def start(cls, members: int) -> "Progress":
        """Return the progress before the first step."""
        return cls(0, 0.0, [None] * members, [[]] * members)

    @property
    def final_loss(self) -> list[float | None]:
        """Mean loss of each member's last `FINAL` steps.

        It is None before the first step.
        """
        return [float(np.mean(losses)) if losses else None for losses in self.last_losses]


class Chunk(NamedTuple):
    """The outcome of a chunk of steps."""

    step: int
    """Steps so far."""
    seconds: float
    """As in `Progress`."""
    state: TrainState
    """State of one network, on the first device of this process, or of several with a leading axis,
    on all devices."""
    states: list[TrainState]
    """State of each member."""
    losses: np.ndarray
    """Loss of each step's batch [members, steps]."""
    observed: Any
    """What `observe` returned, with leading axes [members, steps]."""
    progress: Progress


class Fitted(NamedTuple):
    """A trained network, or several."""

    state: TrainState
    progress: Progress
    stopped_at: list[int | None]
    """For each member the first step whose loss is not finite, or that starts from a non-finite
    state; None if all is finite. With such a step, `state` is the state before its chunk."""
    reason: str | None
    """Why training ended before the last step, or None."""

    @property
    def states(self) -> list[TrainState]:
        """The state of each member."""
        return members.states(self.state)


# Figures of a chunk, one record per member; then what is done with them; then a reason to stop.
Metric = Callable[[Chunk], Sequence[Record]]
Sink = Callable[[Sequence[Record], Chunk], object]
Stop = Callable[[Sequence[Record]], str | None]


def fit(
    model: Model,
    recipe: Recipe,
    state: TrainState,
    data: Data,
    *,
    chunk: int,
    observe: Observer | None = None,
    optimizer: Optimizer | None = None,
    metrics: Sequence[Metric] = (),
    sinks: Sequence[Sink] = (),
    stops: Sequence[Stop] = (),
    progress: Progress | None = None,
    reason: str | None = None,
) -> Fitted:
    """Train until the last step, a stop or a non-finite number.

    The loss, the parameters, the statistics and the optimizer's state of every member must be
    finite.

    After every `chunk` of steps (an even number, see `advance`) each of `metrics` returns figures,
    one record per member. Then each of `sinks` gets the records and the chunk, to write, draw or
    save. The first of `stops` that returns a reason ends training. `state` comes from `train.init`
    or `members.init`; it is not changed. To resume a run, give its `progress`,
    and the `reason` for which it had stopped, if any.
    """
    count = len(members.states(state))
    here = state if state.step.ndim else on_first_device(state)
    progress = progress or Progress.start(count)
    data = datasets.of(recipe.data, data, model, noise=recipe.noise)
    go = members.advance if state.step.ndim else advance
    static = {"optimizer": optimizer, "observe": observe}
    while progress.step < recipe.steps and reason is None:
        # End at a multiple of `chunk`, even if the run resumes between two of them.
        size = min(chunk - progress.step % chunk, recipe.steps - progress.step)
        started = time.perf_counter()
        after, out = go(model, recipe, copied(state), data, steps=size, **static)
        before, here = here, after if state.step.ndim else on_first_device(after)
        losses = np.atleast_2d(np.asarray(out[0] if observe else out))
        observed = out[1] if observe else ()
        if not state.step.ndim:
            observed = jax.tree.map(lambda x: x[None], on_first_device(observed))
        seconds = progress.seconds + time.perf_counter() - started
        states = members.states(here)
        bad = [first_bad(*pair) for pair in zip(states, losses, strict=True)]
        initial = progress.initial_loss if progress.step else losses[:, 0].tolist()
        if any(step is not None for step in bad):
            last = [
                [*old] if step is None else [math.nan]
                for old, step in zip(progress.last_losses, bad, strict=True)
            ]
            stopped = [None if step is None else progress.step + step for step in bad]
            progress = Progress(progress.step, seconds, initial, last)
            return Fitted(before, progress, stopped, "a number is not finite")
        last = [
            [*old, *new][-FINAL:]
            for old, new in zip(progress.last_losses, losses[:, -FINAL:].tolist(), strict=True)
        ]
        state, progress = after, Progress(progress.step + size, seconds, initial, last)
        now = Chunk(progress.step, seconds, here, states, losses, observed, progress)
        records: list[Record] = [{} for _ in states]
        for metric in metrics:
            for record, figures in zip(records, metric(now), strict=True):
                record.update(figures)
        for sink in sinks:
            sink(records, now)
        reason = next((said for stop in stops if (said := stop(records))), None)
    return Fitted(here, progress, [None] * count, reason)


def first_bad(state: TrainState, losses: np.ndarray) -> int | None:
    """Return the first of a chunk's steps whose loss is not finite.

    If only the state after the chunk is not finite, return the number of steps. If all is finite,
    return None.
    """
    bad = np.flatnonzero(~np.isfinite(losses))
    if len(bad):
        return int(bad[0])
    return None if finite((state.params, state.stats, state.opt_state)) else len(losses)


def finite(tree: Any) -> bool:
    """Return whether every number in a tree is finite."""
    return all(bool(np.isfinite(np.asarray(leaf)).all()) for leaf in jax.tree.leaves(tree))
