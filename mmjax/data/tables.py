"""Lists in tables: CSV and TSV are noticed, and one of their columns is read."""

import csv
import io
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from mmjax.errors import InputError, require

DELIMITERS = "\t;,"
NEARLY_ALL = 0.95  # of the lines that are looked at
LOOKED_AT = 1_000  # lines, spread over the list
SHOWN = 8  # columns named in a message, at most
HEADER = re.compile(
    r"(\w+[ _-])?(sur)?names?|(town|product|word)s?|(cit|compan)(y|ies)", re.IGNORECASE
)
NUMBER = re.compile(r"[-+]?[\d.,/:%-]*\d[\d.,/:%-]*")  # a date is one too


class Layout(NamedTuple):
    """What a table looks like: its delimiter, its first line, and a column to read."""

    delimiter: str
    first: list[str]
    has_header: bool
    proposed: str

    def __str__(self) -> str:
        cells = [cell if len(cell) < 30 else f"{cell[:30]}..." for cell in self.first[:SHOWN]]
        shown = ", ".join(cells) + ", ..." * (len(self.first) > SHOWN)
        kind = "TSV" if self.delimiter == "\t" else "CSV"
        return f"{kind} with {'the columns' if self.has_header else 'a first line of'} {shown}"


def number_of(column: str) -> int | None:
    """Return the number that names a column, or None if a word does."""
    return int(column) if re.fullmatch(r"[0-9]{1,9}", column) else None


def is_header(cell: str) -> bool:
    """Return whether a cell holds a word that heads a column of names, such as "Town"."""
    return bool(HEADER.fullmatch(cell))


def noticed(lines: Sequence[str]) -> Layout | None:
    """Return the layout of lines that look like CSV or TSV, or None.

    Nearly all lines (95 %) must have the same number of cells, two or more. Tabs are then enough.
    Commas and semicolons occur in names, such as "Smith, John"; so one of these must hold, too: the
    first line has a word that heads a column; a column has numbers in nearly all other lines;
    nearly all lines have quotes around a cell; or in nearly all lines, no space follows a
    delimiter. Lines with one cell look like CSV if nearly all are in quotes.
    """
    some = _some(lines)
    if len(some) < 2:
        return None
    delimiter, size = _consistent(some)
    if not delimiter:
        quoted = _share(len(line) > 2 and line[0] == line[-1] == '"' for line in some)
        return Layout(",", [_cells(some[0], ",")[0]], False, "1") if quoted else None
    table = [row for line in some if len(row := _cells(line, delimiter)) == size]
    first, *rows = table
    numeric = [_share(map(NUMBER.fullmatch, column)) for column in zip(*rows, strict=True)]
    above_numbers = [cell for cell, below in zip(first, numeric, strict=True) if cell and below]
    headed = _cells(some[0], delimiter) == first and (
        any(map(is_header, first)) or not all(map(NUMBER.fullmatch, above_numbers))
    )
    evident = (
        delimiter == "\t"
        or headed
        or any(numeric)
        or _share(line[0] == '"' or f'{delimiter}"' in line for line in some)
        or _share(f"{delimiter} " not in line for line in some)
    )
    if not evident:
        return None
    text = numeric.index(False) if False in numeric else 0
    named = next(filter(is_header, first), first[text])
    usable = headed and named and first.count(named) == 1 and number_of(named) is None
    proposed = shlex.quote(named) if usable else str(text + 1)
    return Layout(delimiter, first, headed, proposed)


def on_one_line(lines: Sequence[str]) -> bool:
    """Return whether a single line looks like several names between delimiters."""
    return len(lines) == 1 and any(len(_cells(lines[0], each)) > 2 for each in DELIMITERS)


def column(text: str, wanted: str, *, header: bool) -> list[str]:
    """Return one column of the table in `text`, without its header.

    `wanted` is the column's name in the first line, or its number from 1; with a number, the first
    line is read like the others unless `header` is true. Cells that are missing are empty. Raises
    `InputError`, without the path, if there is no such column or the quotes do not match.
    """
    lines = [line for line in islice(text.split("\n", LOOKED_AT + 1), LOOKED_AT) if line.strip()]
    if not lines:
        return []
    fullest = max(DELIMITERS, key=lines[0].count)
    rows = _rows(text, _consistent(lines)[0] or fullest)
    number = number_of(wanted)
    if number is not None:
        at = number - 1
        if header:
            next(rows, None)
    else:
        names = next(rows, [])
        require(
            wanted in names,
            f"has no column {wanted!r}; it has {', '.join(names[:SHOWN])}",
        )
        at = names.index(wanted)
    cells, widest = [], 0
    for row in rows:
        widest = max(widest, len(row))
        cells.append(row[at] if at < len(row) else "")
    require(at < max(widest, 1), f"has no column {at + 1}; it has {widest}")
    return cells


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    """Yield the cells of each line that is not blank, without white space around them."""
    rows = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield cells
    except csv.Error as error:
        raise InputError(f"line {rows.line_num} is not CSV: {error}; correct it") from None


def _some(lines: Sequence[str]) -> list[str]:
    return list(lines[:: -(-len(lines) // LOOKED_AT) or 1])


def _consistent(lines: Sequence[str]) -> tuple[str, int]:
    """Return the delimiter that cuts nearly all lines into a number of cells, and that number.

    They are empty and 0 if there is none.
    """
    for delimiter in DELIMITERS:
        sizes = Counter(len(_cells(line, delimiter)) for line in lines if delimiter in line)
        size, times = sizes.most_common(1)[0] if sizes else (0, 0)
        if size > 1 and times >= NEARLY_ALL * len(lines):
            return delimiter, size
    return "", 0


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        row = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:  # a cell is longer than the module's limit
        row = []
    return [cell.strip() for cell in row] or [""]


def _share(hold: Iterator[object]) -> bool:
    """Return whether nearly all are true."""
    found = [bool(each) for each in hold]
    return sum(found) >= NEARLY_ALL * max(1, len(found))
