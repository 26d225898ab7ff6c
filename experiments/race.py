"""How soon each way of training is how good: `python -m experiments.race`."""

import importlib.util
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from experiments import baselines, pictures
from experiments.baselines import Problem
from experiments.program import Table, main
from experiments.run_folder import RunFolder, surroundings
from mmjax import Predictor, corpus, data, evaluate, figures, metrics, mlp, train, vocab
from mmjax.errors import require_ranges
from mmjax.train.loop import Record

LOOKS = 50  # how often each is evaluated
CALIBRATED_ON = 20_000  # tokens for the statistics that PyTorch's parameters are evaluated with


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


class Point(NamedTuple):
    """A look at a network in training."""

    seconds: float
    step: int
    loss: float


class Course(NamedTuple):
    """What is to be learned, and what it is held against."""

    config: mlp.MLP
    tokens: np.ndarray
    validation: np.ndarray
    seed: int


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
            **surroundings(),
        },
    )
    columns = {name: np.array(found) for name, found in points.items()}
    pictures.write(figures.race(columns, options.goal), options.out / "race.svg")
    print(f"\n{options.out}: race.json, race.svg")
    return 0


def seconds(taken: float | None) -> str:
    """A time as the table shows it."""
    return "not reached" if taken is None else f"{taken:.1f}"


def shortened(recipe: train.Recipe, scale: float) -> train.Recipe:
    """The recipe over so much of its steps."""
    return replace(
        recipe,
        steps=max(2 * LOOKS, int(recipe.steps * scale)),
        drop_step=int(recipe.drop_step * scale),
    )


def looks(steps: int) -> list[int]:
    """After how many steps to look: even numbers, the last that of all."""
    chunk = 2 * round(steps / LOOKS / 2)
    return [*range(chunk, steps, chunk), steps]


def ours(course: Course, recipe: train.Recipe) -> Iterator[Point]:
    """With this library, by either recipe."""
    model, key = course.config, jax.random.key(course.seed)
    examples = data.of(recipe.data, course.tokens, model)
    until = looks(recipe.steps)
    for size in {until[0], until[-1] - until[-2]}:  # compile
        state = train.init(model, recipe, key)
        jax.block_until_ready(train.advance(model, recipe, state, examples, steps=size))
    points: list[Point] = []

    def sink(records: Sequence[Record], chunk: train.Chunk) -> None:
        points.append(Point(chunk.seconds, chunk.step, records[0]["loss_val"]))

    train.fit(
        *(model, recipe, train.init(model, recipe, key), examples),
        chunk=until[0],
        metrics=[metrics.validation(model, course.validation, every=1)],
        sinks=[sink],
    )
    yield from points


def pytorch(course: Course, recipe: train.Recipe) -> Iterator[Point]:
    """With the lecture's layer classes in PyTorch on one thread, which is faster there than two."""
    import torch  # pyright: ignore[reportMissingImports]

    torch.set_num_threads(1)
    torch.manual_seed(course.seed)
    config = course.config
    state = train.init(config, recipe, jax.random.key(course.seed))
    leaves, tree = jax.tree.flatten(state.params)
    every = jnp.arange(len(course.tokens) - 1)
    contexts, targets = corpus.windows(jnp.asarray(course.tokens), every, config.block_size)
    problem = Problem([*map(np.asarray, leaves)], np.asarray(contexts), np.asarray(targets))
    baseline = baselines.lecture(problem)
    schedule = train.schedule_of(recipe)
    taken, done = 0.0, 0
    for until in looks(recipe.steps):
        rates = np.asarray(schedule(np.arange(done, until))).tolist()
        started = time.perf_counter()
        for rate in rates:
            baseline.step(baseline.draw(recipe.batch_size), rate)
        taken += time.perf_counter() - started
        done = until
        params = jax.tree.unflatten(tree, [jnp.array(p) for p in baseline.parameters()])
        predictor = Predictor(config, params, state.stats)
        predictor = evaluate.calibrate(predictor, course.tokens[:CALIBRATED_ON])
        yield Point(taken, done, evaluate.loss(predictor, course.validation))


if __name__ == "__main__":
    main("experiments.race", Options, program)
