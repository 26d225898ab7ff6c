"""Options of training with settings that follow the list."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mmjax.cli.options import option
from mmjax.commands.init_from import require_other_out
from mmjax.commands.name_list import SplitList
from mmjax.errors import require, require_ranges
from mmjax.train import RECIPES


@dataclass(frozen=True)
class BlendedLists(SplitList):
    """The list of names, or several lists, and how they are split."""

    others: tuple[Path, ...] = ()
    """Lists to blend with the first one. A model is found for each, and the names that all of them
    find likely are likely."""
    weights: tuple[float, ...] = ()
    """With several lists: how much each counts, the first one first. By default all count the same."""

    def __post_init__(self):
        super().__post_init__()
        require(
            len(self.weights) in (0, 1 + len(self.others)),
            f"--weights gives {len(self.weights)} numbers for {1 + len(self.others)} lists; give one "
            "for each list, the first one first",
        )
        require(
            all(0 < weight < float("inf") for weight in self.weights),
            "--weights must be above 0; leave out the list that should not count",
        )

    @property
    def paths(self) -> list[Path]:
        """The paths of all lists."""
        return [self.names, *self.others]


@dataclass(frozen=True)
class AutoOptions:
    """Find a model for a list of names: count, train networks, mix them, keep what is best.

    The candidates are counted models with contexts of several lengths, networks of two sizes with
    early stopping, and the mixture of all. Validation loss chooses between them. Other recipes, with
    all of their options: --recipe lecture --help, --recipe fast --help.
    """

    name_list: BlendedLists
    recipe: Literal[("auto", *RECIPES)] = "auto"  # pyright: ignore[reportInvalidTypeForm]
    """Train by this recipe. auto: what is best for the list. lecture: the lecture's network by SGD
    with step decay. fast: the same network in seconds."""
    init_from: Path | None = option(None)
    """Also try networks that start from the weights of this run, trained on the same list or another
    one; letters that it has not seen start with random weights."""
    out: Path = option(Path("runs/auto"), free=True, inherited=False)
    """Run folder to write to; a finished run in it is overwritten."""
    overwrite: bool = option(False, inherited=False)
    """Overwrite an unfinished run in the run folder."""
    steps: int = option(0, free=True)
    """Train each network for at most this many steps; 0 takes a number that fits the list."""
    seed: int = 0
    """Seed of the networks and the samples."""
    report: bool = option(True, free=True)
    """With --no-report, write no report.html and no playground.html."""

    def __post_init__(self):
        require_ranges(self, seed=(0, 2**32 - 1))
        require_other_out(self.init_from, self.out)
        if self.steps != 0:
            require_ranges(self, steps=(24, 2**31 - 1))
