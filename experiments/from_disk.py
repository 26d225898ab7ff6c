"""Measure training from an encoded list on the disk: `python -m experiments.from_disk LIST`."""

import time
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
import tyro

from experiments.bench.memory import peak_memory
from mmjax import data, mlp, train
from mmjax.cli.program import main
from mmjax.data import Dataset, encoded
from mmjax.errors import require_ranges
from mmjax.io.text import Table
from mmjax.train import Recipe, TrainState

EXAMPLES = 64_000  # of a timed piece
FEWEST, MOST = 20, 1_000  # steps of a timed piece


@dataclass(frozen=True)
class Options:
    """Time the lecture's training step with batches from the disk, and with the list in memory.

    Both train on the same batches. The peak memory is that before the list is read into memory.
    """

    names: tyro.conf.Positional[Path]
    """The folder that mmjax encode wrote."""
    batch_sizes: tuple[int, ...] = (32, 256, 1_024)
    """Examples in a batch."""
    rounds: int = 9
    """Timings of each, in turn, of which the middle one counts; the first round is not counted."""

    def __post_init__(self):
        require_ranges(self, rounds=(2, 1_000))


def program(options: Options) -> int:
    """Train, time and show; return the exit status."""
    found = encoded.load(options.names)
    tokens = found.tokens["train"]
    model = mlp.MLP(vocab_size=found.vocab.size)
    from_disk = data.of("windows", tokens, model)
    for size in options.batch_sizes:
        seconds(model, size, from_disk, None)
    peak = peak_memory()
    in_memory = data.of("windows", np.array(tokens), model)
    rows = []
    for size in options.batch_sizes:
        states: list[TrainState | None] = [None, None]
        timed = []
        for _ in range(options.rounds):
            took = []
            for i, examples in enumerate((from_disk, in_memory)):
                each, states[i] = seconds(model, size, examples, states[i])
                took.append(each)
            timed.append(took)
        disk, memory = 1e6 * np.array(timed[1:]).T
        ratio = np.median(disk / memory)
        rows.append((size, f"{np.median(disk):.0f}", f"{np.median(memory):.0f}", f"{ratio:.2f}"))
    print(Table(["batch size", "disk, µs", "memory, µs", "ratio"], rows))
    shown = "" if peak is None else f"; {peak:.0f} MB of memory at most with the list on the disk"
    print(f"\n{len(tokens):,} tokens of {found.names['train']:,} names{shown}")
    return 0


def seconds(
    model: mlp.MLP, size: int, examples: Dataset, state: TrainState | None
) -> tuple[float, TrainState]:
    """Return (seconds per step, the state after them)."""
    recipe = Recipe(batch_size=size)
    state = state or train.init(model, recipe, jax.random.key(0))
    steps = min(MOST, max(FEWEST, EXAMPLES // size))
    started = time.perf_counter()
    state, seen = train.advance(model, recipe, state, examples, steps=steps)
    jax.block_until_ready(seen)
    return (time.perf_counter() - started) / steps, state


if __name__ == "__main__":
    main("python -m experiments.from_disk", Options, program)
