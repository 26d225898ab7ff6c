"""Text for people: tables, and names with control characters escaped."""

from collections.abc import Sequence
from typing import NamedTuple
from unicodedata import category, east_asian_width


def shown(text: str) -> str:
    """Return `text` with non-printable characters escaped.

    A terminal would obey them or not show them.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


WIDEST = 48  # columns of the terminal for one name


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes.

    Wide characters, such as Chinese ones, take two; combining marks take none.
    """
    if text.isascii():
        return len(text)
    return sum(
        0 if category(c) in ("Mn", "Me") else 1 + (east_asian_width(c) in "WF") for c in text
    )


def aligned(text: str, column: int = 24) -> str:
    """Return text with its tabs as spaces up to the next column of the terminal.

    It is `str.expandtabs` for characters of any width. Columns are as wide as their widest text, up
    to `WIDEST`, but at least `column`.
    """
    before_tabs = [cell for line in text.split("\n") for cell in line.split("\t")[:-1]]
    fitting = [width(cell) + 2 for cell in before_tabs if width(cell) + 2 <= WIDEST]
    column = max([column, *fitting])
    return "\n".join(
        "".join([cell + " " * (column - width(cell) % column) for cell in cells[:-1]] + cells[-1:])
        for cells in (line.split("\t") for line in text.split("\n"))
    )


Cell = str | int | float | list[str] | None


class Table(NamedTuple):
    """A table for the terminal and for the report."""

    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    def cells(self) -> list[list[str]]:
        """Return the rows as text.

        Floats have 4 decimals, None is empty, and text is escaped by `shown`.
        """
        return [[cell(value) for value in row] for row in self.rows]

    def __str__(self) -> str:
        """Return aligned columns: the first to the left, all others to the right."""
        lines = [list(self.header), *self.cells()]
        widths = [max(map(width, column)) for column in zip(*lines, strict=True)]
        padded = (
            [(text, " " * (most - width(text))) for text, most in zip(line, widths, strict=True)]
            for line in lines
        )
        return "\n".join(
            "  ".join(["".join(first), *(space + text for text, space in others)]).rstrip()
            for first, *others in padded
        )


def cell(value: Cell) -> str:
    """Return a value as tables show it."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else shown(str(value))
