"""Options for the list of names."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmjax.cli.options import option
from mmjax.data import corpus
from mmjax.errors import InputError, require, require_ranges
from mmjax.io.text import shown
from mmjax.runs import lists
from mmjax.runs.layout import CONFIG
from mmjax.runs.reading import read_config


@dataclass(frozen=True)
class NameList:
    """The list of names."""

    names: Path = option(Path("data/names.txt"), free=True)
    """Read the names from this UTF-8 text file, which has one name per line; or give --column."""
    unique: bool = False
    """Use each name once, even if the list repeats it."""
    column: str | None = None
    """Read this column of CSV, TSV or JSON: its name in the first line, a key of the JSON objects, or a
    number from 1. 0 takes whole lines of a list that looks like CSV and is none."""
    header: bool = False
    """The first line is not a name: skip it. Not needed for a column given by its name."""
    lower: bool = False
    """Make all names lower case."""

    def read(self) -> list[str]:
        """Return the names of the list, and print what is odd about it.

        Raises `InputError` as `corpus.read_names` does.
        """
        return corpus.read_names(self.names, **self.reading(), note=_print)

    def reading(self) -> dict[str, Any]:
        """Return the options of `corpus.read_names`."""
        return {name: getattr(self, name) for name in lists.READING}

    def typed(self) -> list[str]:
        """Return these options as they are typed."""
        switches = [name for name, value in self.reading().items() if value is True]
        column = [] if self.column is None else [f"--column={self.column}"]
        return ["--names", str(self.names), *column, *(f"--{name}" for name in switches)]


def of_run(folder: Path, names: Path | None = None) -> list[str]:
    """Return the names that a run was trained on, read with the run's options.

    `names` is another file to read with them. Raises `InputError` if the run does not tell its
    list, or the list is gone.
    """
    if names is not None and not (folder / CONFIG).exists():
        return corpus.read_names(names)  # the folder of a checkpoint does not have the options
    try:
        config = read_config(folder, ["names"])
    except InputError as error:
        raise InputError(f"{error}, or give the list with --names") from None
    path = names or Path(config["names"])
    require(
        names is not None or path.exists(),
        f"{path}: the list of this run is missing; give one with --names",
    )
    return lists.read(config, names)


def _print(note: str) -> None:
    print(shown(note), file=sys.stderr)


@dataclass(frozen=True)
class SplitList(NameList):
    """The list of names, and how it is split."""

    split_seed: int = 42
    """Seed of the shuffles before the list is split 80 : 10 : 10."""
    shuffles: int = 2
    """Shuffle this many times before the split: 2 gives the split of docs/REPRODUCTION.md,
    1 that of the lecture's later parts."""

    def __post_init__(self):
        require_ranges(self, split_seed=(0, 2**63 - 1), shuffles=(0, 1_000))
