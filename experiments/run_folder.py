"""The run folder: its files, and how they are read and written."""

import dataclasses
import json
import math
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import jax
import jaxlib.version
import numpy as np
import optax

import mmjax
from experiments.checkpoints import Checkpoints
from experiments.program import parsed, read_object, sample_lines, shown
from mmjax import InputError, files, weights
from mmjax.errors import require, said
from mmjax.model import Predictor
from mmjax.vocab import Vocab

MODEL = "model.safetensors"
CONFIG = "config.json"
SUMMARY = "summary.json"
SAMPLES = "samples.txt"
METRICS = "metrics.jsonl"
REPORT = "report.html"
FIGURES = "figures"
LOSSES = "losses.svg"  # of several seeds
# What else than a figure, which may be missing, stands in a run's files.
CONFIG_KINDS = {
    **{"names": str, "unique": bool, "smoothing": int | float, "recipe": str},
    **dict.fromkeys(("seed", "split_seed", "shuffles", "steps"), int),
    **{"drop_step": int, "out": str, "data": str, "optimizer": str, "schedule": str},
}
SUMMARY_KINDS = {
    **dict.fromkeys(("names", "bigrams", "parameters", "steps", "examples_train"), int),
    **{"training_seconds": int | float, "seconds": int | float, "bigram_check_passed": bool},
    **{"stopped_at_step": int | list | None, "findings": list},
}
MEMBER = "seed-"  # what the folders of several seeds begin with


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Make a run folder and keep every other program from it within the block.

    The system drops the lock if this program is killed. Where a folder cannot be locked, the block
    runs without a lock. Raises `InputError` if the folder cannot be made, or another program has it.
    """
    make_folder(path)
    try:
        folder = os.open(path, os.O_RDONLY)
    except OSError:  # Windows opens no folder
        folder = None
    if folder is None:
        yield
        return
    try:
        with suppress(ImportError):  # there is no such lock on Windows
            import fcntl

            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(
                    f"{path}: another program is writing to it; wait for its end, or give another --out"
                ) from None
            except OSError:  # some network file systems know no locks of folders
                pass
        yield
    finally:
        os.close(folder)


class RunFolder:
    """One run's files. Opening it makes the folder and removes an earlier run's files from it, but with `resume`.

    Raises `InputError` if nothing can be written there, or, without `overwrite`, the earlier run is unfinished;
    then its files still stand.
    """

    def __init__(
        self, path: Path, options: Any, *, resume: bool = False, overwrite: bool = False
    ) -> None:
        self.path = path
        make_folder(path)
        checkpoints = Checkpoints(path, keep=1)
        require(
            resume or overwrite or not checkpoints.paths() or is_finished(path),
            f"{path}: holds a run that has not come to its end; go on with it by --resume, start over with "
            "--overwrite, or give another --out",
        )
        self.write_json(CONFIG, plain(options))
        for folder in (path, checkpoints.folder):
            files.remove_unfinished(folder)
        if resume:
            return
        checkpoints.clear()
        files.write(path / METRICS, "")
        results = ("*.safetensors", SUMMARY, SAMPLES, REPORT, LOSSES, f"{FIGURES}/*.svg")
        members = [f"{MEMBER}*/{name}" for name in (*results, CONFIG, METRICS)]
        for old in [file for pattern in (*results, *members) for file in path.glob(pattern)]:
            old.unlink()
        for folder in [
            checkpoints.folder,
            *path.glob(f"{MEMBER}*/{FIGURES}"),
            *path.glob(f"{MEMBER}*"),
        ]:
            with suppress(OSError):  # it is not there, or holds something else
                folder.rmdir()

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write `content` with one key a line; NaN and infinity, which JSON lacks, as null."""
        files.write(self.path / name, json.dumps(finite(content), indent=2) + "\n")

    def write_samples(self, samples: Sequence[tuple[str, str]]) -> None:
        """Write the sampled names with their marks, one per line."""
        files.write(self.path / SAMPLES, "\n".join([*sample_lines(samples), ""]))

    def write_model(self, predictor: Predictor, vocab: Vocab, name: str = MODEL) -> None:
        """Write the weights."""
        weights.save(self.path / name, predictor, vocab)

    def add_metrics(self, record: dict[str, Any]) -> None:
        """Append one line to the run's metrics."""
        line = json.dumps(finite(record))
        with self._metrics("a") as file:
            file.write(line + "\n")

    def sync_metrics(self) -> None:
        """Bring the metrics to the disk."""
        with self._metrics("a") as file:
            os.fsync(file.fileno())

    def cut_metrics(self, step: int) -> None:
        """Drop the lines of later steps, and one that was cut off; report missing lines on standard error."""
        kept = []
        for line in _lines(self.path / METRICS) if (self.path / METRICS).exists() else []:
            with suppress(ValueError, TypeError, KeyError, RecursionError):
                if json.loads(line)["step"] <= step:
                    kept.append(line)
        last = json.loads(kept[-1])["step"] if kept else 0
        if last != step:
            print(
                f"{self.path / METRICS}: its last line is that of step {last:,}, not {step:,}; going on without what lacks",
                file=sys.stderr,
            )
        files.write(self.path / METRICS, "".join(f"{line}\n" for line in kept))

    @contextmanager
    def _metrics(self, mode: str) -> Iterator[TextIO]:
        path = self.path / METRICS
        try:
            with path.open(mode, encoding="utf-8") as file:
                yield file  # pyright: ignore[reportReturnType]
                file.flush()
        except OSError as error:
            raise InputError(f"{path}: cannot be written: {error.strerror}") from None

    def write_summary(self, figures: Mapping[str, Any]) -> None:
        """Write the final figures."""
        self.write_json(SUMMARY, figures)

    def contents(self) -> str:
        """The folder and the names of what lies in it, for a closing line."""
        return shown(f"{self.path}: {', '.join(sorted(file.name for file in self.path.iterdir()))}")


def surroundings() -> dict[str, Any]:
    """The versions and the device that figures were made with."""
    device = jax.devices()[0]
    return {
        "python": platform.python_version(),
        "mmjax": mmjax.__version__,
        "jax": jax.__version__,
        "jaxlib": jaxlib.version.__version__,
        "numpy": np.__version__,
        "optax": optax.__version__,
        "platform": platform.platform(),
        "device": f"{device.platform} {device.device_kind}",
        "cpus": os.cpu_count(),
    }


def make_folder(path: Path) -> None:
    """Make a folder if it is not there. Raises `InputError` if that cannot be done."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "is a file" if isinstance(error, FileExistsError) else error.strerror
        raise InputError(f"{path}: cannot be made a folder: {reason}") from None


def is_finished(path: Path) -> bool:
    """Return whether the run in a folder has made all its steps, or ended with a non-finite loss."""
    try:
        summary, config = read_summary(path), read_config(path)
    except InputError:
        return False
    return summary.get("stopped_at_step") is not None or summary.get("steps") == config.get("steps")


def model_of(path: Path) -> Path:
    """The weights in a run folder. Raises `InputError` if it is one of several seeds, which have theirs below it."""
    members = sorted(path.glob(f"{MEMBER}*/{MODEL}"))
    if members and not (path / MODEL).exists():
        raise InputError(
            f"{path}: has a network for each of several seeds; give one, {members[0].parent}"
        )
    return path / MODEL


def read_config(path: Path, needed: Sequence[str] = ()) -> dict[str, Any]:
    """A run's options. Raises `InputError` if they cannot be read or one that is needed is missing."""
    return _read_json(path / CONFIG, needed, CONFIG_KINDS)


def read_summary(path: Path, needed: Sequence[str] = ()) -> dict[str, Any]:
    """A run's final figures. Raises `InputError` if they cannot be read or one that is needed is missing."""
    return _read_json(path / SUMMARY, needed, SUMMARY_KINDS)


def read_samples(path: Path) -> list[tuple[str, str]]:
    """A run's samples, each with its mark. Raises `InputError` if they cannot be read."""
    halves = [line.partition("\t") for line in _lines(path / SAMPLES)]
    return [(shown(name), shown(mark)) for name, _, mark in halves]


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a run's metrics, none if there are none. Raises `InputError` if they cannot be read."""
    path = path / METRICS
    records = []
    for i, line in enumerate(_lines(path) if path.exists() else [], 1):
        try:
            record = parsed(line)
            if not all(isinstance(value, int | float | None) for value in record.values()):
                raise ValueError("a figure is no number")
            records.append({"step": record["step"], "loss_batch": record["loss_batch"]} | record)
        except (ValueError, KeyError) as error:
            raise InputError(
                f"{path}: line {i} is none of a run's metrics: {said(error)}"
            ) from None
    return records


def _lines(path: Path) -> list[str]:
    """The lines of a file of text. Raises `InputError` if it cannot be read."""
    text = files.read(path, "give a run folder").decode(errors="replace")
    return text.removesuffix("\n").split("\n") if text else []


def _read_json(path: Path, needed: Sequence[str], kinds: Mapping[str, Any]) -> dict[str, Any]:
    def check(content: dict[str, Any]) -> None:
        for name in (*needed, *(name for name in kinds if name in content)):
            if not isinstance(content[name], kinds.get(name, int | float | None)):
                raise ValueError(f"{name} is {content[name]!r}")

    return read_object(path, check)


def finite(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures with None, since JSON has no NaN and no infinity, in their place."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in figures.items()
    }


def plain(options: Any) -> dict[str, Any]:
    """Nested option dataclasses as one flat dict, as it stands in config.json; paths absolute, so that they hold from anywhere."""
    flat: dict[str, Any] = {}
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if dataclasses.is_dataclass(value):
            flat |= plain(value)
        else:
            flat[field.name] = str(value.absolute()) if isinstance(value, Path) else value
    return flat
