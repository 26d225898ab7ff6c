"""What can be said on the MLP's command line; the defaults are the lecture's."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, make_dataclass
from pathlib import Path
from typing import Literal

import tyro

from experiments.lists import NameList
from experiments.program import chosen
from mmjax import mlp
from mmjax.errors import require, require_ranges
from mmjax.train import RECIPES, Recipe


@dataclass(frozen=True)
class Model(mlp.MLP):
    """The network; the defaults are the lecture's, with 47,351 parameters for 26 letters."""

    vocab_size: tyro.conf.Suppress[int] = 27  # follows from the list


RecipeName = Literal[tuple(RECIPES)]  # pyright: ignore[reportInvalidTypeForm]


@dataclass(frozen=True)
class Settings(Recipe):
    """The recipe; each of its settings can be changed."""

    recipe: RecipeName = "lecture"  # pyright: ignore[reportInvalidTypeForm]
    """lecture: SGD with step decay. fast: NAdamW on the distinct contexts of the list, seconds
    instead of a minute; its defaults: --recipe fast --help."""

    def plain(self) -> Recipe:
        """Return the recipe without its name."""
        return Recipe(**{field.name: getattr(self, field.name) for field in fields(Recipe)})


@dataclass(frozen=True)
class Options:
    """Train the MLP on a list of names, hold it against counting, and draw new names from it.

    Leaves its figures, samples and weights in the run folder. Ctrl-C ends the training early and keeps
    what was trained.
    """

    name_list: NameList
    recipe: Settings
    model: Model
    config: Path | None = None
    """Take the options, but for --out, from this file, a run's config.json; those on the command line go before it."""
    out: Path = Path("runs/mlp")
    """The run folder; an earlier run in it is overwritten, if it has come to its end."""
    resume: bool = False
    """Go on from the run folder's last checkpoint, with the same options; --steps may be more."""
    overwrite: bool = False
    """Start over in the run folder of a run that has not come to its end."""
    keep: int = 3
    """How many checkpoints to keep, the last ones; the best one by validation loss is kept besides."""
    seed: int = 0
    """Seed of the initial weights, the batches and the samples."""
    seeds: int = 1
    """Train as many networks side by side, of this seed and the next ones, and show mean and spread."""
    split_seed: int = 42
    """Seed of the shuffles before the list is split 80 : 10 : 10."""
    shuffles: int = 2
    """How often it is shuffled: 2 gives the split of docs/REPRODUCTION.md, 1 that of the lecture's later parts."""
    watch: bool = True
    """Record update ratios of every step and saturation; costs a seventh of the training time."""
    calibrate: bool = False
    """After training, recompute BatchNorm's statistics over the whole training part."""
    report: bool = True
    """Write report.html and its pictures, of each seed; takes a few seconds each."""

    def __post_init__(self):
        require_ranges(
            self,
            seed=(0, 2**32 - 1),
            seeds=(1, 1_000),
            keep=(1, 1_000_000),
            split_seed=(0, 2**63 - 1),
            shuffles=(0, 1_000),
        )
        require(
            not (self.resume and self.overwrite),
            "--resume goes on with a run and --overwrite starts over; give one of them",
        )
        require(
            self.seed + self.seeds <= 2**32,
            f"--seeds {self.seeds} from --seed {self.seed} on go beyond the last seed, {2**32 - 1}; give a lower --seed",
        )


def of_recipe(arguments: Sequence[str]) -> type[Options]:
    """Return the options with the defaults of the recipe on a command line."""
    name = chosen("recipe", arguments)
    name = name if name in RECIPES else "lecture"  # parsing the options tells what is wrong
    defaults = asdict(RECIPES[name])
    settings = make_dataclass(
        "Settings",
        [
            *((field.name, field.type, defaults[field.name]) for field in fields(Recipe)),
            ("recipe", RecipeName, name),
        ],
        bases=(Settings,),
        frozen=True,
        namespace={"__doc__": Settings.__doc__},
    )
    return make_dataclass(
        "Options",
        [("recipe", settings)],
        bases=(Options,),
        frozen=True,
        namespace={"__doc__": Options.__doc__},
    )
