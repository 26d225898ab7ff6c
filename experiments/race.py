"""Compare ways of training by validation loss over time: `python -m experiments.race`."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
from tqdm import tqdm

from experiments.bench.racers import LOOKS, Course, ours, pytorch, shortened
from mmjax import corpus, mlp, plots, train, vocab
from mmjax.cli.program import main
from mmjax.commands.name_list import NameList
from mmjax.errors import require_ranges
from mmjax.io.text import Table
from mmjax.report import drawing
from mmjax.runs.environment import environment
from mmjax.runs.folder import RunFolder


@dataclass(frozen=True)
class Options:
    """Train the lecture's network in three ways and compare their validation loss over time.

    The ways are the lecture's recipe, the fast recipe, and the lecture's recipe in PyTorch, which
    takes minutes. The clock runs during training only, not during compilation and evaluation.
    """

    name_list: NameList
    out: Path = Path("runs/race")
    """Write race.json and race.svg to this folder."""
    seed: int = 0
    """Seed of the initial weights and the batches."""
    goal: float = 2.083
    """Show how long each way takes to reach this validation loss, in nats per character."""
    scale: float = 1.0
    """Take this fraction of every way's steps."""

    def __post_init__(self):
        require_ranges(self, seed=(0, 2**32 - 1), goal=(0.0, 100.0), scale=(1e-6, 1.0))


def program(options: Options) -> int:
    """Train each way, show and save; return the exit status."""
    names = options.name_list.read()
    letters = vocab.build(names)
    splits = corpus.split(names)
    course = Course(
        mlp.MLP(vocab_size=letters.size),
        corpus.encode(letters, splits.train),
        corpus.encode(letters, splits.val),
        options.seed,
    )
    jax.devices()  # without a device, fail here, before anything is written
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
    """Return a time as the table shows it."""
    return "not reached" if taken is None else f"{taken:.1f}"


if __name__ == "__main__":
    main("python -m experiments.race", Options, program)
