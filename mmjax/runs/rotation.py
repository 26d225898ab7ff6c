"""The checkpoints of a run folder: the latest and the best."""

import sys
from pathlib import Path

import numpy as np

from mmjax.errors import InputError, require
from mmjax.io.text import shown
from mmjax.runs import checkpoint
from mmjax.runs.checkpoint import Checkpoint
from mmjax.runs.layout import make_folder
from mmjax.train import TrainState

FOLDER = "checkpoints"
BEST = "best.safetensors"
STEPS = "step-*.safetensors"


class Checkpoints:
    """The last `keep` checkpoints below a run folder, and the best.

    The best has the state with the lowest validation loss, as best.safetensors; with several seeds,
    that of each seed.
    """

    def __init__(self, run: Path, keep: int) -> None:
        self.folder = run / FOLDER
        self.keep = keep

    def paths(self) -> list[Path]:
        """Return the checkpoints to resume from, in the order to try.

        The latest is first. The best is last, because it may be old.
        """
        best = self.folder / BEST
        return [*sorted(self.folder.glob(STEPS), reverse=True), *[best] * best.exists()]

    def save(self, saved: Checkpoint, step: int, *, best: TrainState | None) -> None:
        """Write a checkpoint and remove those that are too old.

        `best` is the new best state, or None if it is still that of before. Raises `InputError` if
        a file cannot be written.
        """
        make_folder(self.folder)
        if best is not None:  # first: a run killed between the two saves comes here again
            checkpoint.save(self.folder / BEST, saved._replace(state=best))
        newest = self.folder / STEPS.replace("*", f"{step:010}")
        checkpoint.save(newest, saved)
        # Later checkpoints could not be read when the run was resumed; it will write them again.
        until_now = [path for path in sorted(self.folder.glob(STEPS)) if path <= newest]
        for old in until_now[: -self.keep]:
            old.unlink(missing_ok=True)

    def load(self) -> Checkpoint | None:
        """Return the latest usable checkpoint, or None if no file exists.

        Name unusable ones on standard error. Raises `InputError` if all are unusable.
        """
        paths = self.paths()
        for path in paths:
            saved = _usable(path)
            if saved is None:
                continue
            steps = np.atleast_1d(saved.state.step)
            if (steps == steps[0]).all():
                return saved
            print(
                f"{shown(str(path))}: the seeds are at different steps; it is not used",
                file=sys.stderr,
            )
        require(
            not paths,
            f"{self.folder}: no checkpoint can be used; start over with --overwrite",
        )
        return None

    def load_best(self) -> Checkpoint | None:
        """Return the best checkpoint, or None if there is none that can be used.

        Name an unusable one on standard error.
        """
        path = self.folder / BEST
        return _usable(path) if path.exists() else None

    def clear(self) -> None:
        """Remove all checkpoints, the latest first."""
        for path in self.paths():
            path.unlink(missing_ok=True)


def _usable(path: Path) -> Checkpoint | None:
    """Return a checkpoint, or None with a line on standard error if it cannot be used."""
    try:
        return checkpoint.load(path)
    except InputError as error:
        print(f"{shown(str(error))}; this checkpoint is not used", file=sys.stderr)
        return None
