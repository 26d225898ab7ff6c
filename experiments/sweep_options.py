"""Options of the program that searches settings."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from mmjax.cli.options import option
from mmjax.commands.name_list import SplitList
from mmjax.errors import require, require_ranges


@dataclass(frozen=True)
class Options:
    """Find the settings of the network and the recipe that give the lowest validation loss.

    A TOML file names the options to vary and their values; docs/sweeps.md explains it. The best trials
    are trained again with other seeds. The test names are not scored.
    """

    space: tyro.conf.Positional[Path]
    """TOML file with the options to vary."""
    name_list: SplitList
    out: Path = option(Path("runs/sweep"), free=True, inherited=False)
    """Folder to write to; a finished sweep in it is overwritten."""
    resume: bool = option(False, free=True, inherited=False)
    """Continue the sweep in --out. The space, the list and the seeds must be the same."""
    overwrite: bool = option(False, free=True, inherited=False)
    """Overwrite an unfinished run in the folder."""
    journal: Path | None = option(None, free=True, inherited=False)
    """Share the sweep with other processes or machines that give the same file. Each trains trials that
    Optuna proposes, until the file has as many as the space says. No trial stops early, there are no
    finalists, and --out is not used. Needs pip install -e '.[optuna]'."""
    seed: int = 0
    """Seed of the trials and their networks."""
    seeds: int = 5
    """Train each finalist with this many further seeds."""

    def __post_init__(self):
        require_ranges(
            self,
            seed=(0, 2**31 - 1),
            seeds=(1, 1_000),
        )
        require(
            not (self.resume and self.overwrite),
            "--resume continues a sweep and --overwrite starts over; give one of them",
        )
        require(
            self.journal is None or not (self.resume or self.overwrite),
            "a sweep with --journal continues by itself; leave out --resume and --overwrite",
        )
