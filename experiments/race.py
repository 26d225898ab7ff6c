"""How soon each way of training is how good: `python -m experiments.race`."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
from tqdm import tqdm

from experiments.bench.racers import LOOKS, Course, ours, pytorch, shortened
from mmjax import corpus, mlp, plots, train, vocab
from mmjax.cli.program import main
from mmjax.errors import require_ranges
from mmjax.io.text import Table
from mmjax.report import drawing
from mmjax.runs.environment import environment
from mmjax.runs.folder import RunFolder


@dataclass(frozen=True)
class Options:
    """Train the lecture's network by the lecture's recipe, the fast recipe, and in PyTorch, and watch the validation loss.

    The clock runs while they train, neither while they compile nor while they are evaluated. PyTorch takes minutes.
    """

    names: Path = Path("data/names.txt")
    """The list."""
    out: Path = Path("runs/race")
    """Where race.json and race.svg go."""
    seed: int = 0
    """Seed of the initial weights and the batches."""
    goal: float = 2.083
    """The validation loss to reach."""
    scale: float = 1.0
    """Take so much of every way's number of steps."""

    def __post_init__(self):
        require_ranges(self, seed=(0, 2**32 - 1), goal=(0.0, 100.0), scale=(1e-6, 1.0))


def program(options: Options) -> int:
    """Train each, show and save; the exit status."""
    names = corpus.read_names(options.names)
    letters = vocab.build(names)
    splits = corpus.split(names)
    course = Course(
        mlp.MLP(vocab_size=letters.size),
        corpus.encode(letters, splits.train),
        corpus.encode(letters, splits.val),
        options.seed,
    )
    jax.devices()  # fails here, before anything is written, if there is none
    folder = RunFolder(options.out, options)
    recipes = {
        "fast recipe": shortened(train.RECIPES["fast"], options.scale),
        "lecture's recipe": shortened(train.RECIPES["lecture"], options.scale),
    }
    runs = {name: ours(course, recipe) for name, recipe in recipes.items()}
    if importlib.util.find_spec("torch"):
        runs["lecture's recipe, PyTorch"] = pytorch(course, recipes["lecture's recipe"])
    points = {}
    for name, run in runs.items():
        points[name] = [*tqdm(run, desc=name, total=LOOKS, unit="look", disable=None)]
    reached = {
        name: next((p.seconds for p in found if p.loss <= options.goal), None)
        for name, found in points.items()
    }
    rows = []
    for name, found in points.items():
        last, lowest = found[-1], min(point.loss for point in found)
        times = (seconds(last.seconds), seconds(reached[name]))
        rows.append((name, f"{last.step:,}", *times, last.loss, lowest))
    print(Table(["", "steps", "s", f"s to {options.goal:g}", "loss at the end", "lowest"], rows))
    if len(points) < 3:
        print("\nPyTorch: torch is not installed; pip install -e '.[parity]'")
    folder.write_json(
        "race.json",
        {
            **{f"seconds_to_goal: {name}": found for name, found in reached.items()},
            **{f"points: {name}": found for name, found in points.items()},
            **environment(),
        },
    )
    columns = {name: np.array(found) for name, found in points.items()}
    drawing.write_picture(plots.race(columns, options.goal), options.out / "race.svg")
    print(f"\n{options.out}: race.json, race.svg")
    return 0


def seconds(taken: float | None) -> str:
    """A time as the table shows it."""
    return "not reached" if taken is None else f"{taken:.1f}"


if __name__ == "__main__":
    main("experiments.race", Options, program)
