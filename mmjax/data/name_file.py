"""The text of a file of names, its lines and its columns."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmjax.data import records, spelling, tables
from mmjax.errors import InputError, require

Note = Callable[[str], object]
LINES = "0"  # the column that stands for whole lines
FORBIDDEN = re.compile("[\0\ud800-\udfff]")  # JSON can escape them
WHOLE = f", or --column {LINES} if each line is a name"


def no_note(line: str) -> None:
    """Ignore a note."""
    del line


def text_of(path: str | Path, data: bytes) -> str:
    """Return the text in a file's bytes, with a line feed at the end of each line.

    LF, CRLF and CR are line ends. Raises `InputError` if the bytes are not UTF-8 or hold a NUL.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The codec counts bytes from after the byte order mark, if the file has one.
        at = len(data) - len(error.object) + error.start
        raise InputError(f"{path}: {_place(data, at)} is not UTF-8; save it as UTF-8") from None
    if "\0" in text:
        place = _place(data, data.index(b"\0"))
        raise InputError(f"{path}: {place} is not allowed in text; is this a binary file?")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def lines_of(text: str) -> list[str]:
    """Return the lines that are not blank, without white space around them."""
    return [name for line in text.split("\n") if (name := line.strip())]


def require_plain(path: str | Path, text: str, lines: list[str]) -> None:
    """Raise `InputError` if a list looks like CSV, TSV or JSON.

    The message says what it looks like and which option reads it.
    """
    content = _records(path, text)
    if content is not None:
        what, proposed = records.described(content)
        raise InputError(f"{path}: looks like {what}; give --column {proposed}{WHOLE}")
    layout = tables.noticed(lines)
    if layout:
        raise InputError(f"{path}: looks like {layout}; give --column {layout.proposed}{WHOLE}")
    require(
        not tables.on_one_line(lines),
        f"{path}: looks like several names on one line; put one name on each line",
    )


def column_of(
    path: str | Path, text: str, wanted: str, *, header: bool, note: Note = no_note
) -> list[str]:
    """Return the names in a column of CSV or TSV, or at a key of JSON.

    `wanted` is as for `corpus.read_names`. Places without a name are left out and noted.
    """
    content = _records(path, text)
    try:
        if content is None:
            cells = tables.column(text, wanted, header=header)
        else:
            cells = records.column(content, wanted)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    names = [cleaned for cell in cells if (cleaned := " ".join(cell.split("\n")).strip())]
    missing = len(cells) - len(names)
    if missing:
        note(f"{path}: {_number(missing, 'line')} without a name in column {wanted} left out")
    for name in names:
        found = FORBIDDEN.search(name)
        if found:
            raise InputError(
                f"{path}: {name[:40]!r} has the character U+{ord(found[0]):04X}, which is not "
                "allowed in text; remove it"
            )
    return names


def tidy(path: str | Path, names: list[str], *, lower: bool, note: Note) -> None:
    """Change names in place to NFC and, with `lower`, to lower case; note what is odd."""
    if lower:
        for i, name in enumerate(names):
            names[i] = name.lower()
    changed = spelling.to_nfc(names)
    if changed:
        note(f"{path}: {_number(changed, 'name')} changed to Unicode's normal form NFC")
    if not lower:
        mixed = spelling.mixed_case(names)
        if mixed:
            note(f"{path}: {mixed}; --lower makes all names lower case")


def note_header(path: str | Path, names: list[str], note: Note) -> None:
    """Note if the first name looks like the header of a column."""
    if tables.is_header(names[0]) and names.count(names[0]) == 1 and len(names) > 1:
        note(f"{path}: the first line is {names[0]!r}; if it is a header, give --header")


def _records(path: str | Path, text: str) -> Any:
    try:
        return records.parsed(text, Path(path).suffix)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _number(count: int, what: str) -> str:
    return f"{count:,} {what} was" if count == 1 else f"{count:,} {what}s were"


def _place(data: bytes, at: int) -> str:
    before = data[:at].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    line, byte = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
    return f"line {line}, byte {byte} (0x{data[at]:02x})"
