"""Options for the list of names."""

import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from mmjax.cli.options import option
from mmjax.data import corpus, encoded
from mmjax.data.encoded import Encoded
from mmjax.errors import InputError, require, require_ranges
from mmjax.io.text import shown
from mmjax.runs import lists, sampled
from mmjax.runs.layout import CONFIG
from mmjax.runs.lists import Lists, Split
from mmjax.runs.reading import read_config


@dataclass(frozen=True)
class NameList:
    """The list of names."""

    names: Path = option(Path("data/names.txt"), free=True)
    """Read the names from this UTF-8 text file, which has one name per line; or give --column. It may also be
    a folder that mmjax encode wrote."""
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


class Known(NamedTuple):
    """The names of a list."""

    names: list[str]
    source: Encoded | None = None
    """The list on the disk, if it is long and `names` are a sample."""


def of_run(folder: Path, names: Path | None = None) -> Known:
    """Return the names that a run was trained on, read with the run's options.

    `names` is another file to read with them. Raises `InputError` if the run does not tell its
    list, or the list is gone.
    """
    if names is not None and (found := _long(names)):
        return found
    if names is not None and not (folder / CONFIG).exists():
        # The folder of a checkpoint does not have the options.
        return Known(corpus.read_names(names))
    try:
        config = read_config(folder, ["names"])
    except InputError as error:
        raise InputError(f"{error}, or give the list with --names") from None
    path = names or Path(config["names"])
    require(
        names is not None or path.exists(),
        f"{path}: the list of this run is missing; give one with --names",
    )
    return _long(path) or Known(lists.read(config, names))


def _long(path: Path) -> Known | None:
    """Return a long encoded list; None for any other."""
    if not encoded.is_encoded(path):
        return None
    found = encoded.load(path)
    return Known(sampled.names_of(found), found) if sampled.is_long(found) else None


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

    def split(self) -> Split:
        """Return the names of the list, split, and print what is odd about it.

        Raises `InputError` as `lists.read_split` does, and if an encoded list is to be read or
        split otherwise than it was.
        """
        self._require_split()
        return lists.read_split(vars(self), note=_print)

    def lists(self) -> Lists:
        """Return the list, encoded, or a sample of it if it is encoded and long.

        Raises `InputError` as `split` does.
        """
        self._require_split()
        return sampled.load(vars(self), note=_print)

    def _require_split(self) -> None:
        if not encoded.is_encoded(self.names):
            return
        given = [
            f"--{each.name.replace('_', '-')}"
            for each in fields(self)
            if each.name in lists.SPLITTING and getattr(self, each.name) != each.default
        ]
        require(
            not given,
            f"{self.names}: is an encoded list, which was read and split before; leave out "
            f"{' and '.join(given)}",
        )
