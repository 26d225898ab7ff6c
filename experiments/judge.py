"""Add up results of the playground's quiz: `python -m experiments.judge FILES`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from mmjax import plots
from mmjax.cli.program import main
from mmjax.errors import require
from mmjax.evaluate import quiz
from mmjax.evaluate.quiz import Quiz, Score
from mmjax.io.text import Table, shown
from mmjax.report import drawing

NOBODY = "(no name)"
EVERYONE = "everyone"


@dataclass(frozen=True)
class Options:
    """Add up quizzes of people and models, on whether people can tell made-up names.

    The quiz of a run's playground.html saves the files. The answers of one person to one model are
    added up, and so are those of everyone to one model.
    """

    files: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Read these files, one or more."""
    out: Path = Path("runs/judge.svg")
    """Write the picture to this file, .svg or .png."""

    def __post_init__(self):
        require(bool(self.files), "give one or more files that the quiz of a playground.html saved")
        require(
            self.out.suffix in (".svg", ".png"),
            f"{self.out}: give the picture a name with .svg or .png",
        )


def program(options: Options) -> int:
    """Read, show and draw; return the exit status."""
    quizzes = [(path, quiz.read(path)) for path in options.files]
    quiz.require_distinct(quizzes)
    scores = scored([each for _, each in quizzes])
    rows = [
        (
            model,
            person,
            each.answers,
            *map(percent, (each.share, each.low, each.high)),
            each.d_prime,
        )
        for (model, person), each in scores.items()
    ]
    header = ["model", "person", "answers", "right", "from", "to", "d'"]
    print(Table(header, rows))
    print(
        "\nright: share of right answers, with its 95 % interval (Wilson); guessing gives 50 %.\n"
        "d': distance of real names from made-up ones in standard deviations; guessing gives 0.\n"
        "The interval of everyone takes all answers as independent, whoever gave them."
    )
    labels = [f"{shown(model)}, {shown(person)}" for model, person in scores]
    figure = plots.quiz_scores(
        labels,
        np.array([each.share for each in scores.values()]),
        np.array([[each.low, each.high] for each in scores.values()]),
    )
    drawing.write_picture(figure, options.out)
    print(f"\n{options.out}")
    return 0


def scored(quizzes: Sequence[Quiz]) -> dict[tuple[str, str], Score]:
    """Return the score of each person for each model, and of everyone, by (model, person)."""
    scores = {}
    for title, model in dict.fromkeys((each.title, each.model) for each in quizzes):
        of_model = [each for each in quizzes if (each.title, each.model) == (title, model)]
        label = f"{title} ({model})"
        people = dict.fromkeys(each.person for each in of_model)
        for person in people:
            own = [each for each in of_model if each.person == person]
            scores[label, person or NOBODY] = quiz.score(own)
        if len(people) > 1:
            scores[label, EVERYONE] = quiz.score(of_model)
    return scores


def percent(share: float) -> str:
    """Return a share in percent."""
    return f"{100 * share:.0f} %"


if __name__ == "__main__":
    main("python -m experiments.judge", Options, program)
