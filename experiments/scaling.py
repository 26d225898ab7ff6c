"""Measure time and memory as the work grows: `python -m experiments.scaling`."""

import multiprocessing
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from experiments.bench import turns
from experiments.bench.memory import peak_memory
from experiments.bench.turns import piece, take_turns
from experiments.benchmark import products
from mmjax import Predictor, bigram, corpus, counts, mlp, plots, sample, train, vocab
from mmjax.cli.devices import a_device_for_each_core
from mmjax.cli.program import main
from mmjax.commands.name_list import NameList
from mmjax.errors import require_ranges
from mmjax.io.text import Table
from mmjax.report import drawing
from mmjax.runs import lists as name_lists
from mmjax.runs.environment import environment
from mmjax.runs.folder import RunFolder

FIRST_SIZE = 10_000  # names in the shortest list
AXES = {
    "batch_size": (2, 8, 32, 128, 512, 2_048),
    "hidden_size": (10, 30, 100, 300, 1_000),
    "hidden_layers": (1, 2, 5, 10, 20),
    "block_size": (1, 3, 8, 16, 32),
}


@dataclass(frozen=True)
class Options:
    """Measure a training step as batch, width, depth and context grow.

    It also measures models side by side, and longer and longer lists of names. Each step is shown
    beside its matrix products alone in NumPy's BLAS, the least time that its arithmetic takes. The
    lists are drawn from the bigram of the list of names; each is read, split and encoded in a process of its
    own.
    """

    name_list: NameList
    out: Path = Path("runs/scaling")
    """Write scaling.json and the pictures to this folder."""
    rounds: int = 11
    """Time each size this many times."""
    most_names: int = 10_000_000
    """Measure lists of up to this many names; 10 million take some minutes,
    a gigabyte of memory and, for a while, 80 MB of disk."""
    models: tuple[int, ...] = (1, 2, 4, 8, 16)
    """Train these numbers of models side by side."""

    def __post_init__(self):
        require_ranges(self, rounds=(1, 1_000), most_names=(FIRST_SIZE, 10**8))


class Cost(NamedTuple):
    """Microseconds of a training step, and of its matrix products alone, by size."""

    sizes: list[int]
    step: list[float]
    floor: list[float]


class ListCost(NamedTuple):
    """The cost of reading, splitting and encoding a list of names."""

    names: int
    read: float
    split: float
    encode: float
    """Seconds, as `read` and `split`."""
    peak: float | None
    """Peak memory of the process up to then, in megabytes; None on Windows."""
    bytes_an_example: int


def program(options: Options) -> int:
    """Measure, show and save; return the exit status."""
    a_device_for_each_core(max(options.models))
    names = options.name_list.read()
    letters = vocab.build(names)
    tokens = jnp.asarray(corpus.encode(letters, names))
    folder = RunFolder(options.out, options)
    config = mlp.MLP(vocab_size=letters.size)
    costs = {axis: cost_along(axis, config, tokens, options.rounds) for axis in AXES}
    side_by_side = cost_of_models(config, tokens, options.models, options.rounds)
    table = counts.bigrams(np.asarray(tokens), letters.size)
    lists, examples = zip(*cost_of_lists(letters, table, options.most_names), strict=True)
    steps = cost_of_steps(config, examples, options.rounds)
    show(costs, side_by_side, lists, steps)
    folder.write_json(
        "scaling.json",
        {
            **{f"us_by_{axis}": cost._asdict() for axis, cost in costs.items()},
            "us_by_models": side_by_side,
            "lists": [cost._asdict() for cost in lists],
            "us_by_lists": steps,
            **environment(),
        },
    )
    panels = {axis: np.array(cost) for axis, cost in costs.items()}
    drawing.write_picture(plots.step_costs(panels), options.out / "steps.svg")
    of_lists = {name: np.array([getattr(c, name) for c in lists]) for name in ListCost._fields}
    drawing.write_picture(
        plots.list_costs(of_lists | {"step": np.array(steps)}), options.out / "lists.svg"
    )
    print(f"\n{options.out}: scaling.json, steps.svg, lists.svg")
    return 0


def cost_along(axis: str, config: mlp.MLP, tokens: jax.Array, rounds: int) -> Cost:
    """Return the cost of the lecture's step at each size along one axis."""
    sizes = AXES[axis]
    pieces = {}
    for size in sizes:
        batch = size if axis == "batch_size" else train.Recipe().batch_size
        changed = config if axis == "batch_size" else replace(config, **{axis: size})
        pieces[size, "step"] = piece(changed, train.Recipe(batch_size=batch), tokens)
        pieces[size, "floor"] = products(mlp.init(changed, jax.random.key(0))[0][1:], batch)
    us = take_turns(pieces, rounds, axis)
    return Cost(
        [*sizes], [us[size, "step"] for size in sizes], [us[size, "floor"] for size in sizes]
    )


def cost_of_models(
    config: mlp.MLP, tokens: jax.Array, models: tuple[int, ...], rounds: int
) -> dict[str, float]:
    """Return the microseconds per model and step, alone and side by side."""
    recipe = train.Recipe()
    pieces: dict = {"alone": piece(config, recipe, tokens)}
    pieces |= {str(n): piece(config, recipe, tokens, n) for n in models}
    us = take_turns(pieces, rounds, "models", together=turns.MOST)
    return {name: us[name] / (1 if name == "alone" else int(name)) for name in us}


def cost_of_lists(
    letters: vocab.Vocab, table: np.ndarray, most: int
) -> Iterator[tuple[ListCost, np.ndarray]]:
    """Yield the cost of longer and longer lists, and their training tokens.

    Each list is measured in a process of its own.
    """
    predictor = Predictor(bigram.Bigram(letters.size), bigram.from_counts(table, smoothing=1), ())
    sizes = [FIRST_SIZE]
    while sizes[-1] < most:
        sizes.append(min(10 * sizes[-1], most))
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "names.txt"
        for size in tqdm(sizes, desc="lists", disable=None):
            drawn = sample.stream(predictor, letters, jax.random.key(0))
            named = (s.name for s in drawn if s.name)
            with path.open("w", encoding="utf-8") as file:
                left = size
                while left:
                    lines = [*islice(named, min(left, sample.BATCH))]
                    file.write("\n".join(lines) + "\n")
                    left -= len(lines)
            with spawn.Pool(1) as pool:
                yield pool.apply(cost_of_list, (path,))


def cost_of_list(path: Path) -> tuple[ListCost, np.ndarray]:
    """Return the cost of a list, and its training tokens.

    Call it in a process that does nothing else.
    """
    marks = [time.perf_counter()]
    names = corpus.read_names(path)
    letters = vocab.build(names)
    marks.append(time.perf_counter())
    parts = name_lists.parts_of(corpus.split(names, seed=42, shuffles=2))
    marks.append(time.perf_counter())
    tokens = {part: corpus.encode(letters, some) for part, some in parts.items()}
    marks.append(time.perf_counter())
    peak = peak_memory()
    read, split, encode = np.diff(marks).tolist()
    examples = tokens["train"]
    return ListCost(len(names), read, split, encode, peak, examples.itemsize), examples


def cost_of_steps(config: mlp.MLP, lists: Sequence[np.ndarray], rounds: int) -> list[float]:
    """Return the microseconds per step of the lecture's network on each list."""
    pieces = {len(tokens): piece(config, train.Recipe(), jnp.asarray(tokens)) for tokens in lists}
    return [*take_turns(pieces, rounds, "lists", together=turns.MOST).values()]


def show(
    costs: dict[str, Cost],
    side_by_side: dict[str, float],
    lists: Sequence[ListCost],
    steps: Sequence[float],
) -> None:
    """Print the tables."""
    for axis, cost in costs.items():
        rows = [
            (f"{size:,}", f"{us:,.0f}", f"{floor:,.0f}", f"{us / floor:.2f}")
            for size, us, floor in zip(*cost, strict=True)
        ]
        print(f"{Table([axis, 'µs a step', 'its products', 'ratio'], rows)}\n")
    alone = side_by_side["alone"]
    rows = [(name, f"{us:,.0f}", f"{alone / us:.2f}") for name, us in side_by_side.items()]
    print(f"{Table(['models', 'µs per model and step', 'times as fast'], rows)}\n")
    header = ["names", "read, s", "split, s", "encode, s", "peak, MB", "bytes per example"]
    rows = []
    for cost, us in zip(lists, steps, strict=True):
        times = (f"{cost.read:.2f}", f"{cost.split:.2f}", f"{cost.encode:.2f}")
        peak = None if cost.peak is None else f"{cost.peak:,.0f}"
        rest = (peak, cost.bytes_an_example, f"{us:,.0f}")
        rows.append((f"{cost.names:,}", *times, *rest))
    print(Table([*header, "µs a step"], rows))


if __name__ == "__main__":
    main("python -m experiments.scaling", Options, program)
