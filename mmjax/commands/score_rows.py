"""Scores of many names, one row for each: text, CSV or JSON."""

import csv
import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from mmjax.data import spelling
from mmjax.data.vocab import Vocab
from mmjax.errors import InputError
from mmjax.evaluate.score import (
    Letter,
    nats_per_name,
    per_character,
    percentile,
    unknown_letter,
)
from mmjax.io.text import shown
from mmjax.model import Predictor
from mmjax.runs.layout import finite

CHUNK = 2**16  # names scored at once; bounds the memory
COLUMNS = ("name", "log_probability", "nats_per_character", "percentile", "unknown")
NOT_UTF8 = re.compile("[\udc80-\udcff]")  # what "surrogateescape" makes of other bytes

Near = Callable[[str], list[str]]


class Ranked(NamedTuple):
    """Names with their scores, and the first unknown letter of those that have one."""

    names: Sequence[str]
    log_probabilities: list[float]
    nats_per_character: list[float]
    percentiles: list[float]
    unknown: list[str | None]


class Ranking:
    """The scores of the listed names, against which others are ranked."""

    def __init__(self, predictor: Predictor, vocab: Vocab, listed: Sequence[str]) -> None:
        self.predictor, self.vocab = predictor, vocab
        nats = nats_per_name(predictor, vocab, listed)
        self.listed = np.sort(per_character(nats, listed))

    def of(self, names: Sequence[str]) -> Ranked:
        """Return names with their scores."""
        nats = nats_per_name(self.predictor, self.vocab, names)
        each = per_character(nats, names)
        unknown: list[str | None] = [None] * len(names)
        for i in np.flatnonzero(np.isinf(nats)).tolist():
            unknown[i] = unknown_letter(self.vocab, names[i])
        ranks = percentile(each, self.listed)
        return Ranked(names, (-nats).tolist(), each.tolist(), ranks.tolist(), unknown)


def read_chunks(path: str, *, lower: bool) -> Iterator[list[str]]:
    """Yield the names of a file, some at once; "-" is standard input.

    Blank lines are left out. Names are tidied as those of the list are: NFC and, with `lower`,
    lower case. Raises `InputError` if the file cannot be read or is not UTF-8.
    """
    try:
        source = sys.stdin.fileno() if path == "-" else path
        how = {"encoding": "utf-8-sig", "errors": "surrogateescape", "closefd": path != "-"}
        with open(source, **how) as lines:
            read = 0
            while chunk := list(islice(lines, CHUNK)):
                _require_utf8(path, chunk, read)
                read += len(chunk)
                tidy = _tidy(chunk, lower=lower)
                if tidy:
                    yield tidy
    except (OSError, ValueError) as error:  # ValueError: the path has a NUL
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise InputError(f"{path}: cannot be read: {reason}; give a text file of names") from None


def _require_utf8(path: str, lines: list[str], before: int) -> None:
    text = "".join(lines)
    if not text.isascii() and NOT_UTF8.search(text):
        bad = next(i for i, line in enumerate(lines, before + 1) if NOT_UTF8.search(line))
        raise InputError(f"{path}: line {bad} is not UTF-8; save it as UTF-8")


def _tidy(lines: list[str], *, lower: bool) -> list[str]:
    names = [name for line in lines if (name := line.strip())]
    if lower:
        names = [name.lower() for name in names]
    spelling.to_nfc(names)
    return names


def texts(
    kind: str,
    ranking: Ranking,
    chunks: Iterable[Sequence[str]],
    near: Near | None,
    letters: Mapping[str, Sequence[Letter]] | None = None,
) -> Iterator[str]:
    """Yield the output for chunks of names, one row for each name.

    `kind` is text, csv, json or jsonl. `near`, if given, returns the nearest listed names in words.
    `letters` has the letters of names by name; JSON shows them.
    """
    columns = [*COLUMNS, *(["nearest"] if near else [])]
    titles = [column.replace("_", " ") for column in columns if column != "unknown"]
    heads = {"csv": ",".join(columns) + "\n", "text": "\t".join(titles) + "\n", "json": "[\n"}
    head = heads.get(kind, "")  # written with the first rows, and not before the file can be read
    for names in chunks:
        ranked = ranking.of(names)
        nearest = [near(name) for name in names] if near else None
        if kind == "csv":
            rows = _csv(ranked, nearest)
        elif kind == "text":
            rows = _text(ranked, nearest)
        elif kind == "json":
            rows = ",\n".join(_json(ranked, nearest, letters or {}))
        else:
            rows = "\n".join(_json(ranked, nearest, letters or {})) + "\n"
        yield head + rows
        head = ",\n" if kind == "json" else ""
    yield {",\n": "\n]\n", "[\n": "[]\n"}.get(head, head)


def _numbers(ranked: Ranked) -> list[list[str]]:
    """Return the columns of numbers as text, empty for a name with an unknown letter."""
    columns = (ranked.log_probabilities, ranked.nats_per_character, ranked.percentiles)
    formats = ("%.4f", "%.4f", "%.2f")
    texts = [[*map(f.__mod__, column)] for f, column in zip(formats, columns, strict=True)]
    for i, letter in enumerate(ranked.unknown):
        if letter is not None:
            for column in texts:
                column[i] = ""
    return texts


def _csv(ranked: Ranked, nearest: list[list[str]] | None) -> str:
    text = io.StringIO()
    columns = [ranked.names, *_numbers(ranked), ranked.unknown]
    if nearest is not None:
        columns.append([*map("; ".join, nearest)])
    csv.writer(text, lineterminator="\n").writerows(zip(*columns, strict=True))
    return text.getvalue()


def _text(ranked: Ranked, nearest: list[list[str]] | None) -> str:
    columns = [[*map(shown, ranked.names)], *_numbers(ranked)]
    rows = [*map("\t".join, zip(*columns, strict=True))]
    for i, letter in enumerate(ranked.unknown):
        if letter is not None:
            rows[i] = f"{columns[0][i]}\tthe model does not know the letter '{shown(letter)}'"
    if nearest is not None:
        rows = [f"{row}\t{shown(', '.join(near))}" for row, near in zip(rows, nearest, strict=True)]
    return "\n".join(rows) + "\n"


def _json(
    ranked: Ranked, nearest: list[list[str]] | None, letters: Mapping[str, Sequence[Letter]]
) -> list[str]:
    dumps = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    numbers = [[*map(_NOT_FINITE.get, column, column)] for column in _numbers(ranked)]
    unknown = ["null" if letter is None else dumps(letter) for letter in ranked.unknown]
    rows = [
        f'{{"name": {name}, "log_probability": {log_probability}, '
        f'"nats_per_character": {nats}, "percentile": {rank}, "unknown": {letter}'
        for name, log_probability, nats, rank, letter in zip(
            map(dumps, ranked.names), *numbers, unknown, strict=True
        )
    ]
    if nearest is not None:
        rows = [f'{row}, "nearest": {dumps(near)}' for row, near in zip(rows, nearest, strict=True)]
    if letters:
        found = ([finite(each._asdict()) for each in letters[name]] for name in ranked.names)
        rows = [f'{row}, "letters": {dumps(each)}' for row, each in zip(rows, found, strict=True)]
    return [f"{row}}}" for row in rows]


_NOT_FINITE = {"": "null", "inf": "null", "-inf": "null"}  # JSON has none of them
