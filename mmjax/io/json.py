"""JSON of a run: figures, text and lists of text."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmjax.errors import InputError, said
from mmjax.io import files

LARGEST = 1e38  # a figure of float32


def read_object(
    path: Path, check: Callable[[dict[str, Any]], object] = lambda _: None
) -> dict[str, Any]:
    """A run's file of JSON: figures, text and lists of text by their names.

    Raises `InputError` if it cannot be read or is none, or `check` raises ValueError or KeyError.
    """
    data = files.read(path, "give a run folder")
    try:
        content = parsed(data.decode())
        check(content)
    except (ValueError, KeyError) as error:
        raise InputError(f"{path}: is no file of a run: {said(error)}") from None
    return content


def parsed(text: str) -> dict[str, Any]:
    """A JSON object of figures, text and lists of text. Raises ValueError if it is none."""
    try:
        content = json.loads(text, parse_constant=lambda _: None)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(content, dict):
        raise ValueError("it is no object")
    for name, value in content.items():
        for part in value if isinstance(value, list) else [value]:
            number = isinstance(part, int | float) and abs(part) < LARGEST
            if not (number or isinstance(part, str | None)):
                raise ValueError(f"{name} is {value!r}")
    return content
