"""Options of the program that searches settings."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from experiments.name_list import NameList
from mmjax.cli.options import option
from mmjax.errors import require, require_ranges


@dataclass(frozen=True)
class Options:
    """Search the settings of network and recipe that give the lowest validation loss.

    A TOML file names the options and their values; docs/sweeps.md explains it. The worst trials stop
    early, and the best are trained again with other seeds. The test names are never used.
    """

    space: tyro.conf.Positional[Path]
    """TOML file with the space to search."""
    name_list: NameList
    out: Path = option(Path("runs/sweep"), free=True, inherited=False)
    """Folder to write to; a finished search in it is overwritten."""
    resume: bool = option(False, free=True, inherited=False)
    """Continue the search in --out. The space, the list and the seeds must be the same."""
    overwrite: bool = option(False, free=True, inherited=False)
    """Overwrite an unfinished search in the folder."""
    journal: Path | None = option(None, free=True, inherited=False)
    """Share the search with other processes or machines through this file, which all of them name: each
    takes trials that Optuna proposes, until there are enough. Nothing stops early, and there are no
    finalists. Needs pip install -e '.[optuna]'."""
    seed: int = 0
    """Seed of the trials and their networks."""
    seeds: int = 5
    """Train each finalist with this many further seeds."""
    split_seed: int = 42
    """Seed of the shuffles before the list is split 80 : 10 : 10."""
    shuffles: int = 2
    """Shuffle this many times before the split: 2 gives the split of docs/REPRODUCTION.md,
    1 that of the lecture's later parts."""

    def __post_init__(self):
        require_ranges(
            self,
            seed=(0, 2**31 - 1),
            seeds=(1, 1_000),
            split_seed=(0, 2**63 - 1),
            shuffles=(0, 1_000),
        )
        require(
            not (self.resume and self.overwrite),
            "--resume continues a search and --overwrite starts over; give one of them",
        )
        require(
            self.journal is None or not (self.resume or self.overwrite),
            "a search with --journal continues by itself; leave out --resume and --overwrite",
        )
