"""Options of the distillation program."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from experiments.mlp_options import Model, Settings
from experiments.name_list import NameList
from mmjax.cli.options import option, with_defaults
from mmjax.errors import require_ranges
from mmjax.train import Recipe

# Of the student. Distributions have no noise of single letters, so no weight decay is needed.
STUDENT = Recipe(
    steps=20_000,
    batch_size=512,
    data="contexts",
    optimizer="nadamw",
    schedule="linear",
    learning_rate=0.01,
    warmup_steps=100,
)


@dataclass(frozen=True)
class Options:
    """Teach one network what several networks and counting know together.

    The teachers are networks of the same kind, trained by --recipe fast, and Kneser-Ney with the
    same context. Their mixture has weights fitted on the validation part. The student learns the
    distribution that the mixture predicts after each context.
    """

    name_list: NameList
    recipe: Settings
    model: Model
    out: Path = option(Path("runs/distill"), inherited=False)
    """Run folder to write to; a finished run in it is overwritten."""
    overwrite: bool = option(False, inherited=False)
    """Overwrite an unfinished run in the run folder."""
    teachers: int = 6
    """Number of networks that teach."""
    share: float = 0.5
    """Draw this part of the contexts as often as the training part has them, the others as often as
    the teacher comes to them."""
    drawn: int = 200_000
    """Let the teacher draw this many names, if its contexts are too many to list."""
    seed: int = 0
    """Seed of the student; the teachers have other seeds."""
    seeds: int = 1
    """Teach this many students, with consecutive seeds from --seed on."""
    split_seed: int = 42
    """Seed of the shuffles before the list is split 80 : 10 : 10."""
    shuffles: int = 2
    """Shuffle this many times before the split: 2 gives the split of docs/REPRODUCTION.md,
    1 that of the lecture's later parts."""

    def __post_init__(self):
        require_ranges(
            self,
            teachers=(1, 100),
            share=(0.0, 1.0),
            drawn=(1, 100_000_000),
            seed=(0, 2**31),
            seeds=(1, 1_000),
            split_seed=(0, 2**63 - 1),
            shuffles=(0, 1_000),
        )


def of_student(arguments: Sequence[str]) -> type[Options]:
    """Return the options, with the defaults of the student's recipe."""
    del arguments
    return with_defaults(Options, recipe=with_defaults(Settings, **asdict(STUDENT)))
