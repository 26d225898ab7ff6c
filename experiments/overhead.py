"""Measure what the instruments cost: `python -m experiments.overhead`."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mmjax import corpus, data, diagnostics, mlp, train
from mmjax.cli.program import main
from mmjax.diagnostics import reading
from mmjax.errors import require
from mmjax.io.text import Table
from mmjax.runs import lists
from mmjax.train import Recipe
from mmjax.train.steps import scan

STEPS, READINGS = 1_000, 20
EVERY = 10  # steps between two readings


@dataclass(frozen=True)
class Options:
    """Time the lecture's training step, alone and with the instruments.

    The update ratios are recorded at every step, and the costly instruments are read at every tenth.
    """

    names: Path = Path("data/names.txt")
    """The list of names."""
    rounds: int = 9
    """Timings of each, of which the middle one counts; the first round is not counted."""


def program(options: Options) -> int:
    """Print the table; return the exit status."""
    require(options.rounds >= 2, f"--rounds must be at least 2, not {options.rounds}")
    names = corpus.read_names(options.names)
    known = lists.split_and_encode(names, seed=42, shuffles=2)
    rows = [measured(known, batch_size, options.rounds) for batch_size in (32, 256)]
    titles = ["batch size", "step, µs", "update ratios", "one reading", "at every tenth step"]
    print(Table(titles, rows))
    return 0


def measured(known: lists.Lists, batch_size: int, rounds: int) -> tuple[str, ...]:
    """Return the row of one batch size, with ratios from the same round."""
    model, recipe = mlp.MLP(vocab_size=known.vocab.size), Recipe(batch_size=batch_size)
    examples = data.of(recipe.data, known.tokens["train"], model)
    state = train.init(model, recipe, jax.random.key(0))
    steps = {
        observe: jax.jit(
            lambda s, o=observe: scan(model, recipe, s, examples, steps=STEPS, observe=o)
        )
        for observe in (None, diagnostics.update_sizes)
    }

    def readings() -> Any:
        return [reading.read(model, recipe, state, examples) for _ in range(READINGS)]

    timed = []
    for _ in range(rounds):
        plain, watched = (seconds(lambda f=f: f(state)) / STEPS for f in steps.values())
        timed.append((plain, watched / plain, seconds(readings) / READINGS / plain))
    step, watched, read = np.median(timed[1:], axis=0)
    cost = [f"+{watched - 1:.0%}", f"{read:.0f} steps", f"+{read / EVERY:.1f} steps a step"]
    return (str(batch_size), f"{1e6 * step:.0f}", *cost)


def seconds(call: Callable[[], Any]) -> float:
    """Return how long a call takes, until its arrays are there."""
    started = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - started


if __name__ == "__main__":
    main("python -m experiments.overhead", Options, program)
