"""The training loop on the host: chunks of steps, and what is measured and done between them."""

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
from mmjax.train.recipe import Recipe
from mmjax.train.step import TrainState
from mmjax.train.steps import Observer, advance, copied

FINAL = 100  # steps whose mean is the final loss

Record = dict[str, float]


class Progress(NamedTuple):
    """How far training has come; the losses are lists with an entry for each member."""

    step: int
    seconds: float
    """Time of the steps, compilation included, without what is done between chunks."""
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
        """The mean over the batches of the last `FINAL` steps, None before the first."""
        return [float(np.mean(losses)) if losses else None for losses in self.last_losses]


class Chunk(NamedTuple):
    """What a chunk of steps leaves."""

    step: int
    """Steps so far."""
    seconds: float
    """As in `Progress`."""
    state: TrainState
    """Of one network, or of several with a leading axis, as `fit` was given it."""
    states: list[TrainState]
    """One for each member."""
    losses: np.ndarray
    """[members, steps]"""
    observed: Any
    """What `observe` returned, with leading axes [members, steps]."""
    progress: Progress


class Fitted(NamedTuple):
    """A trained network, or several."""

    state: TrainState
    progress: Progress
    stopped_at: list[int | None]
    """For each member the step whose loss or update is not finite; the state is that before the chunk."""
    reason: str | None
    """What the stop said that ended training, or None."""

    @property
    def states(self) -> list[TrainState]:
        """The state of each member."""
        return members.states(self.state)


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
) -> Fitted:
    """Train until the recipe's last step, a stop, or a number that is not finite.

    After every `chunk` of steps (an even number, see `advance`) each of `metrics` returns figures,
    one record per member; every one of `sinks` gets the records and the chunk, to write, draw or
    save; and the first of `stops` that returns a reason ends training. `state` is one of
    `train.init` or `members.init`; it is left alone. To resume a run, give its `progress`.
    """
    count = len(members.states(state))
    progress = progress or Progress.start(count)
    data = datasets.of(recipe.data, data, model)
    go = members.advance if state.step.ndim else advance
    static = {"optimizer": optimizer, "observe": observe}
    reason = None
    while progress.step < recipe.steps and reason is None:
        # Up to the next whole chunk, also if another number of steps has been trained so far.
        size = min(chunk - progress.step % chunk, recipe.steps - progress.step)
        started = time.perf_counter()
        after, out = go(model, recipe, copied(state), data, steps=size, **static)
        losses = np.atleast_2d(np.asarray(out[0] if observe else out))
        observed = out[1] if observe else ()
        if not state.step.ndim:
            observed = jax.tree.map(lambda x: x[None], observed)
        seconds = progress.seconds + time.perf_counter() - started
        states = members.states(after)
        bad = [first_bad(*pair) for pair in zip(states, losses, strict=True)]
        initial = progress.initial_loss if progress.step else losses[:, 0].tolist()
        if any(step is not None for step in bad):
            last = [
                [*old] if step is None else [math.nan]
                for old, step in zip(progress.last_losses, bad, strict=True)
            ]
            stopped = [None if step is None else progress.step + step for step in bad]
            progress = Progress(progress.step, seconds, initial, last)
            return Fitted(state, progress, stopped, "a number is not finite")
        last = [
            [*old, *new][-FINAL:]
            for old, new in zip(progress.last_losses, losses[:, -FINAL:].tolist(), strict=True)
        ]
        state, progress = after, Progress(progress.step + size, seconds, initial, last)
        now = Chunk(progress.step, seconds, state, states, losses, observed, progress)
        records: list[Record] = [{} for _ in states]
        for metric in metrics:
            for record, figures in zip(records, metric(now), strict=True):
                record.update(figures)
        for sink in sinks:
            sink(records, now)
        reason = next((said for stop in stops if (said := stop(records))), None)
    return Fitted(state, progress, [None] * count, reason)


def first_bad(state: TrainState, losses: np.ndarray) -> int | None:
    """Return the first of a chunk's steps whose loss is not finite.

    The number of steps if the losses are finite and the state after them is not; else None.
    """
    bad = np.flatnonzero(~np.isfinite(losses))
    if len(bad):
        return int(bad[0])
    return None if finite((state.params, state.stats, state.opt_state)) else len(losses)


def finite(tree: Any) -> bool:
    """Return whether every number in a tree is finite."""
    return all(bool(np.isfinite(np.asarray(leaf)).all()) for leaf in jax.tree.leaves(tree))
