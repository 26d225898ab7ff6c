"""The checkpoints of a run folder: the latest and the best."""

import sys
from pathlib import Path

from mmjax.errors import InputError, require
from mmjax.io.text import shown
from mmjax.runs import checkpoint
from mmjax.runs.checkpoint import Checkpoint
from mmjax.runs.layout import make_folder

FOLDER = "checkpoints"
BEST = "best.safetensors"
STEPS = "step-*.safetensors"


class Checkpoints:
    """The last `keep` checkpoints below a run folder, and the best.

    The best is the one with the lowest validation loss, saved as best.safetensors.
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

    def save(self, saved: Checkpoint, step: int, *, best: bool) -> None:
        """Write a checkpoint and remove those that are too old.

        Raises `InputError` if it cannot be written.
        """
        make_folder(self.folder)
        if best:  # first: a run killed between the two saves comes here again
            checkpoint.save(self.folder / BEST, saved)
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
            try:
                return checkpoint.load(path)
            except InputError as error:
                print(f"{shown(str(error))}; this checkpoint is not used", file=sys.stderr)
        require(
            not paths,
            f"{self.folder}: no checkpoint can be used; start over with --overwrite",
        )
        return None

    def clear(self) -> None:
        """Remove all checkpoints, the latest first."""
        for path in self.paths():
            path.unlink(missing_ok=True)
