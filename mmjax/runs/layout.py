"""The layout of a run folder: file names, and values for files."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmjax.errors import InputError

MODEL = "model.safetensors"
CONFIG = "config.json"
SUMMARY = "summary.json"
SAMPLES = "samples.txt"
INSTRUMENTS = "instruments.json"
FILM = "embedding.safetensors"
METRICS = "metrics.jsonl"
REPORT = "report.html"
PLAYGROUND = "playground.html"
FIGURES = "figures"
LOSSES = "losses.svg"  # the losses of several seeds
MEMBER = "seed-"  # prefix of the folders of several seeds
INTERRUPTED = "interrupted"  # the reason for which Ctrl-C ends training
PARTS = ("train", "val", "test", "val_unseen", "test_unseen")  # of a list


def make_folder(path: Path) -> None:
    """Make a folder if it is missing.

    Raises `InputError` if the folder cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "is a file" if isinstance(error, FileExistsError) else error.strerror
        raise InputError(f"{path}: cannot be made: {reason}") from None


def finite(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures with None for NaN and infinity.

    JSON has neither.
    """
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in figures.items()
    }


def plain(options: Any) -> dict[str, Any]:
    """Return nested option dataclasses as one flat dict.

    This is the content of config.json, so a tuple becomes a list. Paths are absolute, so that they
    are valid from any folder.
    """
    flat: dict[str, Any] = {}
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if dataclasses.is_dataclass(value):
            flat |= plain(value)
        else:
            flat[field.name] = _plain(value)
    return flat


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value.absolute())
    return [_plain(each) for each in value] if isinstance(value, tuple) else value
