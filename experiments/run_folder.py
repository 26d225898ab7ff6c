"""The folder that a run leaves behind."""

import dataclasses
import json
import math
import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import jax
import jaxlib.version
import numpy as np
import optax

import mmjax
from mmjax import InputError, files, weights
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
MEMBER = "seed-"  # what the folders of several seeds begin with


class RunFolder:
    """One run's files. Opening it makes the folder and removes an earlier run's files from it.

    Raises `InputError` if nothing can be written there; then an earlier run's files still stand.
    """

    def __init__(self, path: Path, options: Any) -> None:
        self.path = path
        make_folder(path)
        self.write_json(CONFIG, _plain(options))
        files.write(path / METRICS, "")
        results = ("*.safetensors", SUMMARY, SAMPLES, REPORT, LOSSES, f"{FIGURES}/*.svg")
        members = [f"{MEMBER}*/{name}" for name in (*results, CONFIG, METRICS)]
        for old in [file for pattern in (*results, *members) for file in path.glob(pattern)]:
            old.unlink()
        for folder in [*path.glob(f"{MEMBER}*/{FIGURES}"), *path.glob(f"{MEMBER}*")]:
            with suppress(OSError):  # it holds something else
                folder.rmdir()

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Write `content` with one key a line; NaN and infinity, which JSON lacks, as null."""
        finite = {key: _finite(value) for key, value in content.items()}
        files.write(self.path / name, json.dumps(finite, indent=2) + "\n")

    def write_samples(self, lines: list[str]) -> None:
        """Write the sampled names, one a line."""
        files.write(self.path / SAMPLES, "\n".join([*lines, ""]))

    def write_model(self, predictor: Predictor, vocab: Vocab, name: str = MODEL) -> None:
        """Write the weights."""
        weights.save(self.path / name, predictor, vocab)

    def add_metrics(self, record: dict[str, Any]) -> None:
        """Append one line to the run's metrics."""
        line = json.dumps({key: _finite(value) for key, value in record.items()})
        try:
            with (self.path / METRICS).open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise InputError(
                f"{self.path / METRICS}: cannot be written: {error.strerror}"
            ) from None

    def write_summary(self, figures: dict[str, Any]) -> None:
        """Write the final figures with the versions and the device that they were made with."""
        self.write_json(SUMMARY, figures | surroundings())

    def contents(self) -> str:
        """The folder and the names of what lies in it, for a closing line."""
        return f"{self.path}: {', '.join(sorted(file.name for file in self.path.iterdir()))}"


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
    return _read_json(path / CONFIG, needed, "does not tell the run's options")


def read_summary(path: Path, needed: Sequence[str] = ()) -> dict[str, Any]:
    """A run's final figures. Raises `InputError` if they cannot be read or one that is needed is missing."""
    return _read_json(path / SUMMARY, needed, "does not tell the run's figures")


def read_samples(path: Path) -> list[tuple[str, str]]:
    """A run's samples, each with its mark. Raises `InputError` if they cannot be read."""
    try:
        lines = (path / SAMPLES).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InputError(f"{path / SAMPLES}: does not hold the run's samples ({error})") from None
    return [(name, mark) for name, _, mark in (line.partition("\t") for line in lines)]


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a run's metrics, none if there are none. Raises `InputError` if they cannot be read."""
    try:
        lines = (path / METRICS).read_text(encoding="utf-8").splitlines()
        records = [json.loads(line) for line in lines]
        return [{"step": r["step"], "loss_train": r["loss_train"]} | r for r in records]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path / METRICS}: is no metrics of a run ({error})") from None


def _read_json(path: Path, needed: Sequence[str], problem: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        {name: content[name] for name in needed}
        return dict(content)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: {problem} ({error}); give a run folder") from None


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(options: Any) -> dict[str, Any]:
    """Nested option dataclasses as one flat dict; paths absolute, so that they hold from anywhere."""
    flat: dict[str, Any] = {}
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if dataclasses.is_dataclass(value):
            flat |= _plain(value)
        else:
            flat[field.name] = str(value.absolute()) if isinstance(value, Path) else value
    return flat
