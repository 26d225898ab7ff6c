"""Options of the MLP's program; the defaults are the lecture's."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

import tyro

from mmjax.cli.options import chosen, option, with_defaults
from mmjax.commands.auto_options import AutoOptions
from mmjax.commands.init_from import network_of, require_other_out, settings_of
from mmjax.commands.name_list import SplitList
from mmjax.errors import require, require_ranges
from mmjax.models import mlp
from mmjax.train import RECIPES, Recipe


@dataclass(frozen=True)
class Model(mlp.MLP):
    """The network; the defaults are the lecture's, with 47,351 parameters for 26 letters."""

    vocab_size: tyro.conf.Suppress[int] = option(27, inherited=False)  # follows from the list


FURTHER = 1 / 400  # part of a recipe's learning rate for a network that is trained already
RecipeName = Literal[tuple(RECIPES)]  # pyright: ignore[reportInvalidTypeForm]


@dataclass(frozen=True)
class Settings(Recipe):
    """The recipe; each of its settings can be changed."""

    steps: int = option(Recipe.steps, free=True)
    """Number of training steps."""
    recipe: RecipeName = "lecture"  # pyright: ignore[reportInvalidTypeForm]
    """Train by this recipe. lecture: SGD with step decay.
    fast: NAdamW on the distinct contexts of the list, in seconds instead of a minute. auto: the model
    that is best for the list. --recipe fast --help shows the defaults of fast."""

    def plain(self) -> Recipe:
        """Return the recipe without its name."""
        return Recipe(**{each.name: getattr(self, each.name) for each in fields(Recipe)})


def _devices(words: list[str]) -> int:
    """Return the number of `N`, or of `data=N`, as JAX names a mesh."""
    number = words[0].removeprefix("data=")
    if not re.fullmatch(r"-?[0-9]+", number):
        raise ValueError(f"devices must be a number such as 2, or data=2, not {words[0]!r}")
    return int(number)


Devices = Annotated[
    int,
    tyro.conf.arg(aliases=["--mesh"]),
    tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="INT",
        instance_from_str=_devices,
        is_instance=lambda value: isinstance(value, int),
        str_from_instance=lambda value: [str(value)],
    ),
]


@dataclass(frozen=True)
class Options:
    """Train the MLP on a list of names.

    It is also checked against counting, and new names are drawn from it. The run folder gets its
    results, pictures, samples and weights. Ctrl-C ends training early and keeps what was trained.
    """

    name_list: SplitList
    recipe: Settings
    model: Model
    config: Path | None = option(None, free=True, inherited=False)
    """Take the options, except --out, --resume and --overwrite, from this config.json of a run;
    options on the command line take precedence."""
    init_from: Path | None = option(None, free=True)
    """Start from the weights of the network of this run, on the same list or another one. The options of
    the network become those of the run, and the default learning rate is 1/400 of the recipe's;
    letters that the network has not seen start with random weights."""
    out: Path = option(Path("runs/mlp"), free=True, inherited=False)
    """Run folder to write to; a finished run in it is overwritten."""
    resume: bool = option(False, free=True, inherited=False)
    """Continue from the last checkpoint in --out. The training options must be the same. --steps may be
    any number from the checkpoint's step on."""
    overwrite: bool = option(False, free=True, inherited=False)
    """Overwrite an unfinished run in the run folder."""
    keep: int = option(3, free=True)
    """Keep this many of the last checkpoints, besides the one with the lowest validation loss."""
    seed: int = 0
    """Seed of the initial weights, the batches and the samples."""
    seeds: int = 1
    """Train this many networks, with the seeds --seed, --seed + 1 and so on, spread over the CPU cores;
    show mean and standard deviation."""
    devices: Devices = option(0, free=True)
    """Spread each batch over this many devices; without an accelerator, CPU cores. 0 takes two cores
    where that is faster: from 5,000 steps and batches of 512 on, if a batch times the largest weight
    matrix has 5 to 12 million multiplications. --mesh data=N is the same as --devices N. With
    --coordinator, N is the number in all processes together, and 0 is one per process."""
    coordinator: str | None = option(None, free=True, inherited=False)
    """Train together with other processes, on this machine or others: host:port of process 0, with a
    free port. auto takes it, --processes and --process from Slurm or Open MPI (docs/SCALING.md)."""
    processes: int = option(1, free=True, inherited=False)
    """Number of processes that train together; each takes a part of every batch."""
    process: int = option(0, free=True, inherited=False)
    """Number of this process; process 0 writes the run folder and prints."""
    watch: bool = True
    """With --no-watch, do not record update ratios and saturation; training takes about 7 % less time."""
    instruments: bool = False
    """Also measure the sharpness, the reach of a step and the noise of gradients during training, once
    for each line of metrics (docs/instruments)."""
    calibrate: bool = False
    """Recompute BatchNorm's statistics over the whole training part after training; over a sample of a
    long encoded list."""
    report: bool = option(True, free=True)
    """With --no-report, write no report.html, no playground.html and no pictures; saves a few
    seconds."""

    def __post_init__(self):
        require_ranges(
            self,
            seed=(0, 2**32 - 1),
            seeds=(1, 1_000),
            devices=(0, 100_000),
            processes=(1, 10_000),
            process=(0, self.processes - 1),
            keep=(1, 1_000_000),
        )
        require_other_out(self.init_from, self.out)
        require(
            not (self.resume and self.overwrite),
            "--resume continues a run and --overwrite starts over; give one of them",
        )
        require(
            self.devices <= 1 or self.seeds == 1,
            "--devices spreads the batches of one network, and --seeds spreads networks over the devices; give one of them",
        )
        self._check_processes()
        require(
            self.recipe.batch_size % (self.devices or 1) == 0 or self.recipe.data == "all-contexts",
            f"--batch-size must be a multiple of --devices {self.devices}, not {self.recipe.batch_size}",
        )
        require(
            self.seed + self.seeds <= 2**32,
            f"--seeds {self.seeds} starting at --seed {self.seed} go beyond the last seed, {2**32 - 1}; give a lower --seed",
        )

    def _check_processes(self) -> None:
        require(
            self.coordinator is not None or self.processes == 1,
            f"--processes {self.processes} need --coordinator, the host:port of process 0",
        )
        require(
            self.coordinator in (None, "auto") or self.processes > 1,
            f"--coordinator {self.coordinator} needs --processes, the number of processes, and --process, the number of this one",
        )
        require(
            self.coordinator is None or self.seeds == 1,
            "--coordinator trains one network on several processes; give it without --seeds",
        )
        require(
            self.coordinator in (None, "auto")
            or bool(re.fullmatch(r".+:[0-9]+", self.coordinator or "")),
            f"--coordinator must be host:port, such as localhost:9876, or auto, not {self.coordinator!r}",
        )
        require(
            not self.devices % self.processes,
            f"--devices {self.devices} must be a multiple of --processes {self.processes}; each takes an equal part",
        )
        require(
            self.coordinator != "auto" or self.processes == 1,
            "--coordinator auto finds the number of processes by itself; leave out --processes",
        )
        require(
            self.coordinator != "auto" or not self.devices,
            "--coordinator auto finds the number of devices by itself; leave out --devices",
        )
        require(
            not self.recipe.batch_size % self.processes,
            f"--batch-size must be a multiple of --processes {self.processes}, not {self.recipe.batch_size}",
        )


def of_recipe(arguments: Sequence[str]) -> type[Options] | type[AutoOptions]:
    """Return the options, with the defaults of the recipe that a command line names.

    The recipe auto has options of its own.
    """
    if (chosen("recipe", arguments) or "lecture") not in RECIPES:
        return AutoOptions  # parsing the options reports an unknown recipe
    recipe, init_from = recipe_named(arguments), chosen("init-from", arguments)
    if init_from is None:
        return with_defaults(Options, recipe=recipe)
    network, _ = network_of(Path(init_from))
    model = with_defaults(Model, **settings_of(network))
    lower = {"learning_rate": recipe.learning_rate * FURTHER}
    return with_defaults(Options, recipe=with_defaults(recipe, **lower), model=model)


def recipe_named(arguments: Sequence[str]) -> type[Settings]:
    """Return the settings of a recipe, with the defaults of the one that a command line names."""
    name = chosen("recipe", arguments)
    name = name if name in RECIPES else "lecture"  # parsing the options reports an unknown recipe
    return with_defaults(Settings, recipe=name, **asdict(RECIPES[name]))
