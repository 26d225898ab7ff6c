"""The log of a search: the result of each network, and the states of those that go on.

A line is written when its network has been trained, after its state. So a search that is killed at
any moment resumes without loss, except for the networks that were training.
"""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from mmjax.data.vocab import Vocab
from mmjax.errors import InputError, require
from mmjax.io import files
from mmjax.io.json import read_object
from mmjax.runs import checkpoint
from mmjax.runs.checkpoint import Checkpoint
from mmjax.runs.layout import SUMMARY, finite, make_folder
from mmjax.search.population import Job, Shape
from mmjax.train import TrainState

RESULTS = "trials.jsonl"
STATES = "states"
ABOUT = "sweep.json"


class Result(NamedTuple):
    """A measurement of one network."""

    trial: int
    seed: int
    step: int
    loss_val: float
    """Validation loss in nats per character; infinity if training is not finite."""
    seconds: float
    """Seconds of training per step."""


def require_same(folder: Path, about: Mapping[str, Any], *, resume: bool, overwrite: bool) -> None:
    """Raise `InputError` if a search may not start in a folder, or may not resume there.

    `about` says what the search is about, as values for JSON. A search that resumes must be about
    the same. An unfinished one is only overwritten with `overwrite`.
    """
    there = folder / ABOUT
    if resume:
        require(there.exists(), f"{folder}: holds no sweep to resume; start without --resume")
        require_equal(read_object(there), about, f"{folder}: holds", "--out")
        return
    unfinished = there.exists() and not (folder / SUMMARY).exists()
    require(
        overwrite or not unfinished,
        f"{folder}: holds an unfinished sweep; continue it with --resume, start over with "
        "--overwrite, or give another --out",
    )


def require_equal(old: Mapping[str, Any], new: Mapping[str, Any], where: str, other: str) -> None:
    """Raise `InputError` unless two searches are about the same."""
    words = {"space": "space", "names": "list of names"}
    different = [
        words.get(name, f"--{name.replace('_', '-')}")
        for name, value in new.items()
        if old.get(name, value) != value
    ]
    require(
        not different,
        f"{where} a sweep with a different {' and a different '.join(different)}; give the same, or "
        f"another {other}",
    )


class TrialLog:
    """The results and states of a search in its folder."""

    def __init__(
        self, folder: Path, vocab: Vocab, about: Mapping[str, Any], *, resume: bool
    ) -> None:
        """Open the log in a folder; empty it unless the search resumes.

        `about` says what the search is about; its entry `names` is the checksum of the list. A line
        that was cut off is dropped. Raises `InputError` if the folder cannot be written.
        """
        self.path, self.states = folder / RESULTS, folder / STATES
        self.vocab, self.names = vocab, about["names"]
        self.results: dict[tuple[Job, int], Result] = {}
        make_folder(self.states)
        files.remove_unfinished(self.states)
        if resume and self.path.exists():
            self._read()
        elif not resume:
            for path in self.states.glob("*.safetensors"):
                path.unlink()
        files.write(self.path, "".join(_line(result) for result in self.results.values()))
        files.write(folder / ABOUT, json.dumps(about, indent=2) + "\n")

    def _read(self) -> None:
        text = files.read(self.path, "give the folder of a sweep").decode(errors="replace")
        for line in text.split("\n"):
            with suppress(ValueError, TypeError, KeyError):
                found = json.loads(line)
                lost = found["loss_val"] is None
                loss = float("inf") if lost else float(found["loss_val"])
                trial, seed, step = (int(found[name]) for name in ("trial", "seed", "step"))
                self._keep(Result(trial, seed, step, loss, float(found["seconds"])))

    def _keep(self, result: Result) -> None:
        self.results[Job(result.trial, result.seed), result.step] = result

    def has(self, job: Job, step: int) -> bool:
        """Return whether a job has been trained up to a step."""
        return (job, step) in self.results

    def loss(self, job: Job, step: int) -> float:
        """Return the validation loss of a job at a step."""
        return self.results[job, step].loss_val

    def lowest(self) -> float:
        """Return the lowest validation loss so far."""
        return min(result.loss_val for result in self.results.values())

    def add(self, results: Sequence[Result]) -> None:
        """Append results, and flush them to the disk. Raises `InputError` if that fails."""
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write("".join(map(_line, results)))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InputError(f"{self.path}: cannot be written: {error.strerror}") from None
        for result in results:
            self._keep(result)

    def save(self, job: Job, shape: Shape, state: TrainState) -> None:
        """Keep the state of a job. Raises `InputError` if it cannot be written."""
        whole = Checkpoint(shape.model, shape.recipe, self.vocab, self.names, state, {})
        checkpoint.save(self._state(job, int(state.step)), whole)

    def holds(self, job: Job, step: int) -> bool:
        """Return whether the state of a job at a step is there."""
        return self._state(job, step).exists()

    def load(self, job: Job, step: int) -> TrainState:
        """Return the state of a job. Raises `InputError` if the file is damaged."""
        return checkpoint.load(self._state(job, step)).state

    def drop(self, job: Job, step: int) -> None:
        """Remove the state of a job."""
        self._state(job, step).unlink(missing_ok=True)

    def _state(self, job: Job, step: int) -> Path:
        return self.states / f"{job.trial}-{job.seed}-{step}.safetensors"


def _line(result: Result) -> str:
    return json.dumps(finite(result._asdict())) + "\n"
