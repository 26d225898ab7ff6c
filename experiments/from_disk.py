"""Measure training from an encoded list on the disk: `python -m experiments.from_disk LIST`."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from experiments.bench.memory import peak_memory
from experiments.bench.turns import MOST, piece, take_turns
from mmjax import data, mlp
from mmjax.cli.program import main
from mmjax.data import encoded
from mmjax.errors import require_ranges
from mmjax.io.text import Table
from mmjax.train import Recipe


@dataclass(frozen=True)
class Options:
    """Time the lecture's training step with batches from the disk, and with the list in memory.

    Both train on the same batches. The peak memory is that before the list is read into memory.
    """

    names: tyro.conf.Positional[Path]
    """The folder that mmjax encode wrote."""
    batch_sizes: tuple[int, ...] = (32, 256, 1_024)
    """Examples in a batch."""
    rounds: int = 5
    """Time each so many times, 1,000 steps at once; the middle one counts."""

    def __post_init__(self):
        require_ranges(self, rounds=(1, 1_000))


def program(options: Options) -> int:
    """Train, time and show; return the exit status."""
    found = encoded.load(options.names)
    tokens = found.tokens["train"]
    model = mlp.MLP(vocab_size=found.vocab.size)
    recipes = [Recipe(batch_size=size) for size in options.batch_sizes]
    mapped = data.of("windows", tokens, model)
    pieces = {(each, "disk"): piece(model, each, mapped) for each in recipes}
    for train_some in pieces.values():
        train_some(MOST)
    peak = peak_memory()
    read = data.of("windows", np.array(tokens), model)
    pieces |= {(each, "memory"): piece(model, each, read) for each in recipes}
    us = take_turns(pieces, options.rounds, "batches", together=MOST)
    rows = []
    for each in recipes:
        disk, memory = us[each, "disk"], us[each, "memory"]
        rows.append((each.batch_size, f"{disk:.0f}", f"{memory:.0f}", f"{disk / memory:.2f}"))
    print(Table(["batch size", "disk, µs", "memory, µs", "ratio"], rows))
    shown = "" if peak is None else f"; {peak:.0f} MB of memory at most with the list on the disk"
    print(f"\n{len(tokens):,} tokens of {found.names['train']:,} names{shown}")
    return 0


if __name__ == "__main__":
    main("python -m experiments.from_disk", Options, program)
