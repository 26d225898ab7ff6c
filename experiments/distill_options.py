"""Options of the distillation program."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from experiments.counting_options import require_orders
from experiments.lessons import LESSONS
from mmjax.cli.options import chosen, option, with_defaults
from mmjax.commands.name_list import SplitList
from mmjax.commands.train_options import Model, Settings
from mmjax.errors import require, require_ranges

LessonName = Literal[tuple(LESSONS)]  # pyright: ignore[reportInvalidTypeForm]


@dataclass(frozen=True)
class Options:
    """Teach one network what several networks and counting know together.

    The teachers are networks like the student and counted models. Their mixture has weights fitted
    on the validation part. The student learns the distribution that the mixture predicts after each
    context.
    """

    name_list: SplitList
    recipe: Settings
    model: Model
    out: Path = option(Path("runs/distill"), inherited=False)
    """Run folder to write to; a finished run in it is overwritten."""
    overwrite: bool = option(False, inherited=False)
    """Overwrite an unfinished run in the run folder."""
    lesson: LessonName = "lecture"  # pyright: ignore[reportInvalidTypeForm]
    """Teach this: lecture (the lecture's network, in minutes), small (fewer than 100,000 parameters that
    see eight letters, in half an hour) or large (three layers of 300 units that see eight letters, in a
    quarter of an hour). It sets the other defaults, and the network of the teachers."""
    teachers: int = 6
    """Number of networks that teach."""
    orders: tuple[int, ...] = (3,)
    """Lengths of context of the counted models that teach, too."""
    share: float = 0.5
    """Draw this part of the contexts as often as the training part has them, the others as often as
    the teacher comes to them."""
    drawn: int = 200_000
    """Let the teacher draw this many names, if its contexts are too many to list."""
    teachers_seed: int = 2**31 + 1
    """Seed of the first teacher; the others have the next ones. The students' are all smaller."""
    seed: int = 0
    """Seed of the student."""
    seeds: int = 1
    """Teach this many students, with consecutive seeds from --seed on."""

    def __post_init__(self):
        require_ranges(
            self,
            teachers=(1, 100),
            share=(0.0, 1.0),
            drawn=(1, 100_000_000),
            teachers_seed=(2**31, 2**32 - 1_000),
            seed=(0, 2**31 - 1_000),
            seeds=(1, 1_000),
        )
        require_orders(self.orders)
        require(
            self.recipe.data == "contexts"
            and not self.recipe.early_stopping
            and self.recipe.noise == 0,
            "the student learns from the teacher's contexts, as they are, to the last step; leave out "
            "--data, --noise and --early-stopping",
        )


def of_lesson(arguments: Sequence[str]) -> type[Options]:
    """Return the options, with the defaults of the lesson that a command line names."""
    name = chosen("lesson", arguments)
    name = name if name in LESSONS else "lecture"  # parsing the options reports an unknown one
    lesson = LESSONS[name]
    return with_defaults(
        Options,
        lesson=name,
        recipe=with_defaults(Settings, **asdict(lesson.recipe)),
        model=with_defaults(Model, **lesson.student),
        teachers=lesson.networks,
        orders=lesson.orders,
    )
