"""Saving a run's state during training, and the progress in a checkpoint."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from mmjax.train import Chunk, Fitted, Progress, TrainState
from mmjax.train.loop import FINAL, Record


class Start(NamedTuple):
    """The point from which a run resumes."""

    state: TrainState
    progress: Progress
    best_loss_val: float | None
    """Lowest validation loss so far, as the mean over the seeds; None before the first."""


Save = Callable[[TrainState, Progress, float | None, bool], None]


def mean_validation(records: Sequence[Record]) -> float:
    """Return the mean of the members' validation losses."""
    return float(np.mean([record["loss_val"] for record in records]))


class Saver:
    """The saver of a run's state.

    It saves before the first step, at every validation and after the last step.
    """

    def __init__(self, save: Save, start: Start | None) -> None:
        self.save = save
        self.best = start.best_loss_val if start else None
        self.saved_step = start.progress.step if start else None

    def start(self, state: TrainState, progress: Progress) -> None:
        """Save the state before the first step."""
        self._write(state, progress, best=False)

    def sink(self, records: Sequence[Record], chunk: Chunk) -> None:
        """Save the state at a validation."""
        if "loss_val" not in records[0]:
            return
        loss = mean_validation(records)
        best = self.best is None or loss < self.best
        if best:
            self.best = loss
        self._write(chunk.state, chunk.progress, best=best)

    def end(self, fitted: Fitted) -> None:
        """Save the last state, unless it is saved already."""
        if self.saved_step != fitted.progress.step:
            self._write(fitted.state, fitted.progress, best=False)

    def _write(self, state: TrainState, progress: Progress, *, best: bool) -> None:
        self.save(state, progress, self.best, best)
        self.saved_step = progress.step


def progress_of(notes: Any, seeds: int) -> Progress | None:
    """Return the progress in a checkpoint's notes.

    Return None if the notes are not a valid progress of `seeds` seeds.
    """
    try:
        progress = Progress(**notes)
        last = progress.last_losses
        sound = (
            isinstance(progress.step, int)
            and isinstance(progress.seconds, int | float)
            and len(progress.initial_loss) == len(last) == seeds
            and all(isinstance(loss, float | None) for loss in progress.initial_loss)
            and all(len(each) == min(FINAL, progress.step) for each in last)
            and all(isinstance(loss, float) for each in last for loss in each)
        )
    except TypeError:
        return None
    return progress if sound else None
