"""Lists in JSON: noticed, and read by a key of their objects."""

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

from mmjax.data.tables import number_of
from mmjax.errors import InputError, require

START = re.compile(r"\s*[\[{]")
SUFFIXES = (".json", ".jsonl", ".ndjson")
SHOWN = 8  # keys named in a message, at most


def parsed(text: str, suffix: str = "") -> Any:
    """Return the JSON array or object in `text`, or None if it is not JSON.

    JSON lines, an object or an array on each line, are returned as one array. Raises `InputError`,
    without the path, if the file's `suffix` is one of JSON and the text is not.
    """
    content = _parsed(text)
    require(
        content is not None or suffix.lower() not in SUFFIXES,
        f"ends in {suffix}, but holds no array and no object of JSON; correct or rename it",
    )
    return content


def _parsed(text: str) -> Any:
    if not START.match(text):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    except (ValueError, RecursionError):
        return None


def described(content: Any) -> tuple[str, str]:
    """Return what JSON looks like, and the value to give for --column."""
    first = next(iter(content), None) if isinstance(content, list) else content
    if not isinstance(first, dict) or not first:
        return ("a JSON array of arrays" if isinstance(first, list) else "a JSON array"), "1"
    keys = [*first]
    texts = [key for key in keys if isinstance(first[key], str)]
    lists = [key for key in keys if isinstance(first[key], list)]
    usable = (lists if first is content else texts) or texts or keys
    named = next((key for key in usable if "name" in key.lower()), usable[0])
    shown = ", ".join(keys[:SHOWN]) + ", ..." * (len(keys) > SHOWN)
    return f"JSON with the keys {shown}", shlex.quote(named)


def column(content: Any, wanted: str) -> list[str]:
    """Return the texts of JSON that `parsed` returned.

    Of an array of objects, they are those at the key `wanted`, or at the key with this number from
    1; of an array of arrays, those at this number; of an array of texts, all. Of an object, they
    are the array at the key. A missing or null value is empty. Raises `InputError`, without the
    path, if there is no such key or a value is not text.
    """
    if isinstance(content, dict):
        found = content.get(wanted)
        require(
            isinstance(found, str | list),
            f"has no texts at the key {wanted!r}; it has the keys {', '.join([*content][:SHOWN])}",
        )
        content = found if isinstance(found, list) else [found]
        wanted = "1"
    cells = [*_cells(content, wanted)]
    if number_of(wanted) is None:
        require(any(cells), f"has no text at the key {wanted!r}; {described(content)[0]}")
    return cells


def _cells(content: list[Any], wanted: str) -> Iterator[str]:
    number = number_of(wanted)
    at = None if number is None else number - 1
    for i, each in enumerate(content, 1):
        if isinstance(each, dict):
            keys = [*each]
            key = keys[at] if at is not None and wanted not in each and at < len(keys) else wanted
            cell = each.get(key)
        elif isinstance(each, list):
            if at is None:
                raise InputError(
                    f"is a JSON array of arrays; give --column with a number, not {wanted!r}"
                )
            cell = each[at] if at < len(each) else None
        else:
            cell = each
            require(at == 0, f"is a JSON array of texts; give --column 1, not {wanted!r}")
        require(
            cell is None or isinstance(cell, str), f"record {i} has {cell!r:.40}, which is not text"
        )
        yield cell or ""
