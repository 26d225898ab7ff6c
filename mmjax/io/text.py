"""Text for people: tables, and names with control characters escaped."""

from collections.abc import Sequence
from typing import NamedTuple


def shown(text: str) -> str:
    """`text` with what a terminal would obey or not show (control characters and the like) escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


Cell = str | int | float | list[str] | None


class Table(NamedTuple):
    """A table for the terminal and for the report."""

    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    def cells(self) -> list[list[str]]:
        """The rows as they are shown: floats with 4 decimals, None as nothing, text as `shown`."""
        return [[cell(value) for value in row] for row in self.rows]

    def __str__(self) -> str:
        """Aligned columns: text to the left, numbers to the right."""
        lines = [list(self.header), *self.cells()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
            for line in lines
        )


def cell(value: Cell) -> str:
    """A value as tables show it."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else shown(str(value))
