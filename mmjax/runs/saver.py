"""Saving a run's state during training, and the progress in a checkpoint."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from mmjax.runs.rotation import Checkpoints
from mmjax.train import Best, Chunk, Fitted, Progress, TrainState
from mmjax.train.loop import FINAL, Record


class Start(NamedTuple):
    """The point from which a run resumes."""

    state: TrainState
    progress: Progress
    best: Best
    """Each seed's state with the lowest validation loss so far."""


Save = Callable[[TrainState, Progress, Best], None]


def mean_validation(records: Sequence[Record]) -> float:
    """Return the mean of the members' validation losses."""
    return float(np.mean([record["loss_val"] for record in records]))


class Saver:
    """The saver of a run's state.

    It saves before the first step, at every validation and after the last step. `best` must see
    each chunk before the saver.
    """

    def __init__(self, save: Save, start: Start | None, best: Best) -> None:
        self.save = save
        self.best = best
        self.saved_step = start.progress.step if start else None

    def start(self, state: TrainState, progress: Progress) -> None:
        """Save the state before the first step."""
        self._write(state, progress)

    def sink(self, records: Sequence[Record], chunk: Chunk) -> None:
        """Save the state at a validation."""
        if "loss_val" in records[0]:
            self._write(chunk.state, chunk.progress)

    def end(self, fitted: Fitted) -> None:
        """Save the last state, unless it is saved already."""
        if self.saved_step != fitted.progress.step:
            self._write(fitted.state, fitted.progress)

    def _write(self, state: TrainState, progress: Progress) -> None:
        self.save(state, progress, self.best)
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


def best_of(notes: Any, best: Best, seeds: int, checkpoints: Checkpoints) -> Best | None:
    """Return `best` with the best states of a run so far, from the notes of its last checkpoint.

    Return None if the notes are malformed. If the checkpoint of the best states is unusable, the
    search for them starts anew.
    """
    if not isinstance(notes, dict) or set(notes) != {"losses", "waited"}:
        return None
    if any(not isinstance(each, list) or len(each) not in (0, seeds) for each in notes.values()):
        return None
    if notes["losses"] and (saved := checkpoints.load_best()):
        best.resume(notes, saved.state)
    return best
