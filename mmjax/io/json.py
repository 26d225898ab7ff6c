"""JSON of a run: numbers, text and lists of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmjax.errors import InputError, said
from mmjax.io import files

LARGEST = 1e38  # bound on a number, so that it fits into float32


def read_object(
    path: Path, check: Callable[[dict[str, Any]], object] = lambda _: None
) -> dict[str, Any]:
    """Return the JSON object in a run's file, as `parsed` does.

    Raises `InputError` if the file cannot be read, `parsed` refuses it, or `check` raises
    ValueError or KeyError.
    """
    data = files.read(path, "give a run folder")
    try:
        content = parsed(data.decode())
        check(content)
    except (ValueError, KeyError) as error:
        raise InputError(f"{path}: is not a file of a run: {said(error)}") from None
    return content


def parsed(text: str) -> dict[str, Any]:
    """Return the JSON object in `text`.

    Its values are numbers, booleans, text, null or flat lists of these; NaN and infinity become
    None. Raises ValueError for anything else.
    """
    try:
        content = json.loads(text, parse_constant=lambda _: None)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(content, dict):
        raise ValueError("it is not a JSON object")
    for name, value in content.items():
        for part in value if isinstance(value, list) else [value]:
            number = isinstance(part, int | float) and abs(part) < LARGEST
            if not (number or isinstance(part, str | None)):
                raise ValueError(f"{name} is {value!r}")
    return content
