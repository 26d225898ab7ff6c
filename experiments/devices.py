"""Measure where several devices train one network faster: `python -m experiments.devices`."""

from dataclasses import dataclass
from pathlib import Path

import jax

from experiments.bench.turns import piece, take_turns
from experiments.benchmark import products
from experiments.processes import NETWORKS
from mmjax import corpus, data, mlp, vocab
from mmjax.cli.devices import cpu_devices
from mmjax.cli.program import main
from mmjax.errors import require, require_ranges
from mmjax.io.text import Table
from mmjax.train import Recipe


@dataclass(frozen=True)
class Options:
    """Time a training step on one device, and on several that share each batch.

    Both stand beside the matrix products of a step alone in NumPy, which takes all cores for them.
    """

    names: Path = Path("data/names.txt")
    """The list of names."""
    devices: int = 2
    """Share each batch among this many devices; without an accelerator, CPU cores."""
    batch_sizes: tuple[int, ...] = (32, 512, 1_024, 4_096)
    """Measure batches of these sizes, multiples of the number of devices."""
    rounds: int = 11
    """Time each so many times; the middle one counts."""

    def __post_init__(self):
        require_ranges(self, devices=(2, 1_000), rounds=(1, 1_000))
        require(
            all(size > 0 and size % self.devices == 0 for size in self.batch_sizes),
            f"--batch-sizes must be multiples of --devices {self.devices}, not {self.batch_sizes}",
        )


def program(options: Options) -> int:
    """Measure and show; return the exit status."""
    cpu_devices(options.devices)
    names = corpus.read_names(options.names)
    letters = vocab.build(names)
    tokens = corpus.encode(letters, names)
    for name, sizes in NETWORKS.items():
        model = mlp.MLP(vocab_size=letters.size, **sizes)
        print(f"{name}\n{measured(model, tokens, options)}\n", flush=True)
    return 0


def measured(model: mlp.MLP, tokens: data.Data, options: Options) -> Table:
    """Return the table of one network."""
    examples = data.of("windows", tokens, model)
    shared = data.sharded(examples, options.devices)
    weights = mlp.init(model, jax.random.key(0))[0][1:]
    rows = []
    for size in options.batch_sizes:
        recipe = Recipe(batch_size=size)
        pieces = {
            "one": piece(model, recipe, examples),
            "several": piece(model, recipe, shared),
            "products": products(weights, size),
        }
        us = take_turns(pieces, options.rounds, f"{size:,}")
        one, several, floor = (us[name] for name in pieces)
        ratios = (one / floor, several / floor, one / several)
        times = (f"{time:,.0f}" for time in (one, several, floor))
        rows.append((f"{size:,}", *times, *(f"{ratio:.2f}" for ratio in ratios)))
    header = ["batch size", "one device, µs", f"{options.devices} devices, µs", "products, µs"]
    return Table([*header, "one / products", "several / products", "times as fast"], rows)


if __name__ == "__main__":
    main("python -m experiments.devices", Options, program)
