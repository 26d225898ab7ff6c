"""Run the Python code of a page of the documentation, and compare what it prints with the page.

A page is run as a notebook in a fresh kernel. What a cell prints stands in the page in a block
```` ```text ```` right after it. Words must be equal. A number may differ by one in its last digit
(an integer not at all), or, if the block says ```` ```text ± 0.02 ```` or ```` ```text ± 5 % ````, by
that much. If it says ```` ```text names vary ````, only the number of lines and the numbers are
compared, since the names that a trained network makes depend on rounding.

`python tests/pages.py PAGE ...` writes what the cells print now into the pages.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat  # pyright: ignore[reportMissingImports]
from conftest import ROOT
from markdown_it import MarkdownIt  # pyright: ignore[reportMissingImports]
from nbclient import NotebookClient  # pyright: ignore[reportMissingImports]
from nbclient.exceptions import CellExecutionError  # pyright: ignore[reportMissingImports]

NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?|[-+]?\.\d+")
SECONDS = 120  # for a cell


class PageError(AssertionError):
    """A cell that fails, or prints something other than the page says."""


@dataclass(frozen=True)
class Cell:
    """A code cell of a page."""

    code: str
    line: int
    printed: str | None = None
    """What stands in the page as its output; None without such a block."""
    about: str = ""
    """What the block says about the comparison."""


def cells(text: str) -> list[Cell]:
    """Return the Python cells of a page, each with its output."""
    found: list[Cell] = []
    after_cell = False
    for token in MarkdownIt().parse(text):
        language, _, about = token.info.partition(" ")
        if language == "text" and after_cell:
            last = found.pop()
            found.append(Cell(last.code, last.line, token.content, about))
        after_cell = language in ("python", "{code-cell}")
        if after_cell and token.map:
            code = re.sub(r"\A(:.*\n)+", "", token.content)  # options of the cell
            found.append(Cell(code, token.map[0] + 2))
    return found


def execute(code: list[str], folder: Path, title: str) -> list[str]:
    """Run cells in a fresh kernel; return what each of them printed."""
    return [shown(each) for each in outputs(code, folder, title)]


def outputs(code: list[str], folder: Path, title: str) -> list[list[Any]]:
    """Run cells in a fresh kernel; return the outputs of each, as a notebook keeps them."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in code])
    where = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources=where)
    try:
        client.execute()
    except CellExecutionError as error:
        raise PageError(f"{title}: {error}") from None
    return [cell.outputs for cell in notebook.cells]


def shown(outputs: list[Any]) -> str:
    """Return the text of a cell's outputs, without pictures."""
    return "".join(_text(output) for output in outputs)


def _text(output: Any) -> str:
    if output.output_type == "stream":
        return output.text if output.name == "stdout" else ""
    if output.output_type == "execute_result" and "image/png" not in output.data:
        return f"{output.data['text/plain']}\n"
    return ""


def run(text: str, title: str, folder: Path = ROOT, before: str = "") -> list[str]:
    """Run a page after the code `before`; return what each cell printed.

    Raises `PageError` if a cell fails.
    """
    return execute([before, *(cell.code for cell in cells(text))], folder, title)[1:]


def compare(text: str, printed: list[str], title: str) -> None:
    """Raise `PageError` if cells printed something other than the page says."""
    for cell, now in zip(cells(text), printed, strict=True):
        for fault in differences(cell.printed or "", now, cell.about):
            raise PageError(
                f"{title}, line {cell.line}: {fault}\nthe page:\n{cell.printed}\nnow:\n{now}"
            )


def beginning(path: Path) -> str:
    """Return the code that a page begins with: for an instrument, that of their README."""
    first = path.parent / "README.md"
    if path.parent.name != "instruments" or path == first:
        return ""
    return code_of(first.read_text(encoding="utf-8"))


def code_of(text: str) -> str:
    """Return the code of all cells of a page."""
    return "\n".join(cell.code for cell in cells(text))


def differences(expected: str, printed: str, about: str = "") -> Iterator[str]:
    """Yield what differs between the text of a page and what was printed."""
    names_vary = about.startswith("names vary")
    texts = (expected, printed)
    if names_vary:
        same = len({len(text.strip().splitlines()) for text in texts}) == 1
    else:
        same = len({" ".join(NUMBER.sub("#", text).split()) for text in texts}) == 1
    numbers = [NUMBER.findall(text) for text in texts]
    if not same or len(numbers[0]) != len(numbers[1]):
        yield "the number of lines differs" if names_vary else "the words differ"
        return
    for old, new in zip(*numbers, strict=True):
        if not abs(value(old) - value(new)) <= allowed(old, about):
            yield f"{old} in the page, {new} printed"


def allowed(number: str, about: str) -> float:
    """Return by how much another number may differ, by what its block says."""
    tolerance = about.removeprefix("names vary").removeprefix(", ")
    match = re.fullmatch(r"± ([\d.]+)( %)?", tolerance)
    if tolerance and not match:
        raise PageError(f"unknown words after text: {about}")
    share = abs(value(number)) / 100 if match and match[2] else 1.0
    said = float(match[1]) * share if match else 0.0
    return max(last_digit(number), said) * (1 + 1e-9)


def last_digit(number: str) -> float:
    """Return what one unit in the last digit of a number is worth; 0 for an integer."""
    mantissa, _, exponent = number.partition("e")
    _, point, decimals = mantissa.partition(".")
    return 10.0 ** (int(exponent or 0) - len(decimals)) if point or exponent else 0.0


def value(number: str) -> float:
    """Return the value of a number as it is printed."""
    return float(number.replace(",", ""))


def updated(text: str, printed: list[str]) -> str:
    """Return a page with these outputs of its cells."""
    found = cells(text)
    lines = text.splitlines(keepends=True)
    for cell, output in reversed([*zip(found, printed, strict=True)]):
        end = next(i for i in range(cell.line, len(lines)) if lines[i].startswith("```")) + 1
        after = end
        if cell.printed is not None:
            start = next(i for i in range(end, len(lines)) if lines[i].startswith("```text"))
            after = next(i for i in range(start + 1, len(lines)) if lines[i].startswith("```")) + 1
        about = f"text {cell.about}".strip()
        block = [f"\n```{about}\n{output.rstrip()}\n```\n"] if output.strip() else []
        lines[end:after] = block
    return "".join(lines)


def main() -> None:
    """Update the pages that the command line names."""
    for path in map(Path, sys.argv[1:]):
        text = path.read_text(encoding="utf-8")
        printed = run(text, path.name, before=beginning(path.absolute()))
        path.write_text(updated(text, printed), encoding="utf-8")


if __name__ == "__main__":
    main()
