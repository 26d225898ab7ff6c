"""Run the commands of a page and compare what they print with the page.

They stand in blocks ```` ```console ```` after `$ `. A line `[...]` stands for any lines. The
tolerances are those of `pages`. A column in `VARYING` and those after it are not compared.

`python tests/transcripts.py PAGE` writes what the commands print now into the page; where a line
`[...]` stood, take the lines out again by hand.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pages
from conftest import ROOT

BLOCK = re.compile(r"^```console([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
VARYING = ("seconds", "best step of those trained")
SECONDS = 300  # for a command


@dataclass(frozen=True)
class Command:
    """A command of a page, and what stands there as its output."""

    line: str
    printed: str
    about: str


def commands(text: str) -> Iterator[Command]:
    """Yield the commands of a page."""
    for about, block in BLOCK.findall(text):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, printed = part.partition("\n")
            yield Command(line, printed, about.strip())


def run(line: str, folder: Path) -> str:
    """Run a command in a shell; return what it prints."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    command = ["bash", "-c", line]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS
    )
    if done.returncode:
        raise pages.PageError(f"$ {line}\nstatus {done.returncode}: {done.stderr}")
    return done.stdout


def compare(command: Command, printed: str, title: str) -> None:
    """Raise `PageError` if a command printed something other than the page says."""
    lines = without_varying(printed).splitlines()
    parts = re.split(r"^\[\.\.\.\]\n?", without_varying(command.printed), flags=re.MULTILINE)
    place = 0
    for i, part in enumerate(parts):
        wanted = part.splitlines()
        latest = len(lines) - len(wanted)
        starts = [0] if i == 0 else [*range(place, latest + 1)]
        if i == len(parts) - 1 and (wanted or i == 0):
            starts = [start for start in starts if start == latest]
        found = (start for start in starts if same(wanted, lines[start:], command.about))
        start = next(found, None)
        if start is None:
            raise pages.PageError(
                f"{title}: $ {command.line}\nnot printed:\n{part}\nbut:\n{printed}"
            )
        place = start + len(wanted)


def same(wanted: list[str], lines: list[str], about: str) -> bool:
    """Return whether the first lines are the wanted ones."""
    return len(lines) >= len(wanted) and not any(
        [*pages.differences(old, new, about)]
        for old, new in zip(wanted, lines[: len(wanted)], strict=True)
    )


def without_varying(text: str) -> str:
    """Cut the last columns of a table, which differ from run to run."""
    cut, lines = None, []
    for line in text.splitlines():
        heads = [line.find(f"  {head}") for head in VARYING]
        if max(heads) >= 0:
            cut = min(at for at in heads if at >= 0)
        elif not line or line == "[...]":
            cut = None
        lines.append(f"{line[:cut].rstrip()}\n")
    return "".join(lines)


def main() -> None:
    """Write what the commands of a page print now into the page."""
    (page,) = map(Path, sys.argv[1:])
    text = page.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "data").symlink_to(ROOT / "data")

        def now(block: re.Match[str]) -> str:
            found = [f"$ {each.line}\n{run(each.line, Path(name))}" for each in commands(block[0])]
            return f"```console{block[1]}\n{''.join(found)}```"

        page.write_text(BLOCK.sub(now, text), encoding="utf-8")


if __name__ == "__main__":
    main()
