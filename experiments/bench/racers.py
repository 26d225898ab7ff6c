"""The ways of training in the race: this library's recipes, and PyTorch."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bench import baselines
from experiments.bench.baselines import Problem
from mmjax import Predictor, corpus, data, evaluate, metrics, mlp, train
from mmjax.train.loop import Record

LOOKS = 50  # evaluations of each way


CALIBRATED_ON = 20_000  # tokens that give BatchNorm's statistics for PyTorch's parameters


class Point(NamedTuple):
    """An evaluation during training: seconds and steps so far, and validation loss."""

    seconds: float
    step: int
    loss: float


class Course(NamedTuple):
    """The task: the network, its training and validation tokens, and the seed."""

    config: mlp.MLP
    tokens: np.ndarray
    validation: np.ndarray
    seed: int


def shortened(recipe: train.Recipe, scale: float) -> train.Recipe:
    """Return the recipe with this fraction of its steps, at least two per look."""
    return replace(
        recipe,
        steps=max(2 * LOOKS, int(recipe.steps * scale)),
        drop_step=int(recipe.drop_step * scale),
    )


def looks(steps: int) -> list[int]:
    """Return the steps after which to evaluate.

    They are even numbers, except that the last is `steps`.
    """
    chunk = 2 * round(steps / LOOKS / 2)
    return [*range(chunk, steps, chunk), steps]


def ours(course: Course, recipe: train.Recipe) -> Iterator[Point]:
    """Yield the points of this library with a recipe."""
    model, key = course.config, jax.random.key(course.seed)
    examples = data.of(recipe.data, course.tokens, model, noise=recipe.noise)
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
    """Yield the points of the lecture's layer classes in PyTorch.

    They run on one thread, which is faster here than two.
    """
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
