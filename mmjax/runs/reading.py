"""Read a run folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmjax.diagnostics.cockpit import Gauge, loaded
from mmjax.errors import InputError, said
from mmjax.io import files
from mmjax.io.json import parsed, read_object
from mmjax.runs.layout import (
    CONFIG,
    INSTRUMENTS,
    INTERRUPTED,
    MEMBER,
    METRICS,
    MODEL,
    PARTS,
    SUMMARY,
)

# Types of the entries in a run's files. Every other entry is a figure, which may be None.
CONFIG_KINDS = {
    **{"names": str, "unique": bool, "column": str | None, "header": bool, "lower": bool},
    **{"smoothing": int | float, "recipe": str},
    **dict.fromkeys(("seed", "split_seed", "shuffles", "steps"), int),
    **{"drop_step": int, "out": str, "data": str, "optimizer": str, "schedule": str},
}


SUMMARY_KINDS = {
    **dict.fromkeys(("names", "bigrams", "parameters", "steps", "examples_train"), int),
    **{"training_seconds": int | float, "seconds": int | float, "bigram_check_passed": bool},
    "measured_on_samples": bool,
    **{"stopped_at_step": int | list | None, "stopped_because": str | None, "findings": list},
    **{f"kneser_ney_loss_{part}": int | float | None for part in PARTS},
}


def is_finished(path: Path) -> bool:
    """Return whether the run in a folder has ended.

    It ends after its last step, early because of its validation loss, or with a non-finite loss or
    update.
    """
    try:
        summary, config = read_summary(path), read_config(path)
    except InputError:
        return False
    stopped = summary.get("stopped_because") not in (None, INTERRUPTED)
    return stopped or summary.get("steps") == config.get("steps")


def model_of(path: Path) -> Path:
    """Return the path of the weights in a run folder.

    Raises `InputError` if the run has several seeds, each with a network in a folder of its own.
    """
    members = sorted(path.glob(f"{MEMBER}*/{MODEL}"))
    if members and not (path / MODEL).exists():
        raise InputError(
            f"{path}: holds the networks of several seeds; give one of them, such as {members[0].parent}"
        )
    return path / MODEL


def weights_at(path: Path) -> Path:
    """Return the path of the weights in a run folder, or of a file of weights the path itself.

    Raises `InputError` as `model_of` does.
    """
    return model_of(path) if path.is_dir() else path


def read_config(path: Path, needed: Sequence[str] = ()) -> dict[str, Any]:
    """Return a run's options.

    Raises `InputError` if they cannot be read, or a needed one is missing.
    """
    return _read_json(path / CONFIG, needed, CONFIG_KINDS)


def read_summary(path: Path, needed: Sequence[str] = ()) -> dict[str, Any]:
    """Return a run's final figures.

    Raises `InputError` if they cannot be read, or a needed one is missing.
    """
    return _read_json(path / SUMMARY, needed, SUMMARY_KINDS)


def read_instruments(path: Path) -> list[Gauge]:
    """Return the instruments of a run; none if it has not measured any.

    Raises `InputError` if they cannot be read.
    """

    def check(content: dict[str, Any]) -> None:
        for name, numbers in content.items():
            if not isinstance(numbers, list) or len(numbers) != 3:
                raise ValueError(f"{name} is {numbers!r}")
            value, low, high = numbers
            if not (isinstance(value, int | float | None) and float(low) < float(high)):
                raise ValueError(f"{name} is {numbers!r}")

    path = path / INSTRUMENTS
    return loaded(read_object(path, check)) if path.exists() else []


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's metrics as records.

    The list is empty if the file is missing or empty. Raises `InputError` if they cannot be read.
    """
    path = path / METRICS
    records = []
    for i, line in enumerate(lines(path) if path.exists() else [], 1):
        try:
            record = parsed(line)
            if not all(isinstance(value, int | float | None) for value in record.values()):
                raise ValueError("a value is not a number")
            records.append({"step": record["step"], "loss_batch": record["loss_batch"]} | record)
        except (ValueError, KeyError) as error:
            raise InputError(f"{path}: line {i} is not a line of metrics: {said(error)}") from None
    return records


def lines(path: Path) -> list[str]:
    """Return the lines of a text file.

    Raises `InputError` if it cannot be read.
    """
    text = files.read(path, "give a run folder").decode(errors="replace")
    return text.removesuffix("\n").split("\n") if text else []


def _read_json(path: Path, needed: Sequence[str], kinds: Mapping[str, Any]) -> dict[str, Any]:
    def check(content: dict[str, Any]) -> None:
        for name in (*needed, *(name for name in kinds if name in content)):
            if not isinstance(content[name], kinds.get(name, int | float | None)):
                raise ValueError(f"{name} is {content[name]!r}")

    return read_object(path, check)
