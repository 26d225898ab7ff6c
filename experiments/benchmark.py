"""Time a training step beside PyTorch and NumPy: `python -m experiments.benchmark`."""

import importlib.util
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from experiments.bench import baselines
from experiments.bench.baselines import Problem
from mmjax import corpus, mlp, plots, train, vocab
from mmjax.cli.program import main
from mmjax.commands.name_list import NameList
from mmjax.data import Batch
from mmjax.errors import require_ranges
from mmjax.io.text import Table
from mmjax.report import drawing
from mmjax.runs.environment import environment
from mmjax.runs.folder import RunFolder

BATCH = 32
CHECKED_STEPS = 20
TOLERANCE = 1e-3  # of losses and parameters after `CHECKED_STEPS` steps, in float32
STEPS = {"mmjax": 1_000, "floor": 1_000, "numpy": 500}  # in a turn; `OTHER_STEPS` of the others
OTHER_STEPS = 250


@dataclass(frozen=True)
class Options:
    """Time the lecture's training step in this library, PyTorch and NumPy.

    It also times the matrix products of a step alone. Every way of training runs in a process of
    its own and is first checked to compute the same losses and parameters. Then the ways take
    turns, round by round, so that other work of the machine affects all of them. With two or more
    cores, each way runs with one thread and with two, and the faster one counts.
    """

    name_list: NameList
    out: Path = Path("runs/benchmark")
    """Write benchmark.json and benchmark.svg to this folder."""
    rounds: int = 9
    """Time each way this many times."""

    def __post_init__(self):
        require_ranges(self, rounds=(1, 1_000))


class Way(NamedTuple):
    """A way of training, and its number of threads."""

    name: str
    threads: int

    def __str__(self) -> str:
        return f"{TITLES[self.name]}, {self.threads} thread{'s' * (self.threads > 1)}"


class Worker(NamedTuple):
    """A process that answers requests, each a name, on its connection."""

    process: BaseProcess
    connection: Connection

    def ask(self, what: str) -> Any:
        """Return the answer, or None if the process has ended."""
        try:
            self.connection.send(what)
            return self.connection.recv()
        except (EOFError, OSError):
            return None


TITLES = {
    "mmjax": "mmjax",
    "lecture": "PyTorch, the lecture's classes",
    "compiled": "PyTorch, nn and torch.compile",
    "numpy": "NumPy, backward pass by hand",
    "floor": "the 18 matrix products alone, NumPy",
}
RATIOS = {
    "lecture": "pytorch_lecture_ratio",
    "compiled": "torch_compile_ratio",
    "numpy": "numpy_ratio",
    "floor": "blas_floor_ratio",
}


def program(options: Options) -> int:
    """Check, time, show and save; return the exit status."""
    tokens, problem = prepared(options.name_list.read())
    folder = RunFolder(options.out, options)
    missing = [] if importlib.util.find_spec("torch") else ["lecture", "compiled"]
    threads = range(1, min(2, os.cpu_count() or 1) + 1)
    ways = [Way(name, n) for name in TITLES if name not in missing for n in threads]
    workers = {way: start(way, tokens, problem) for way in ways}
    wrong = {way: worker.ask("check") for way, worker in workers.items()}
    wrong = {way: difference for way, difference in wrong.items() if not is_small(difference)}
    times = take_turns(
        {w: worker for w, worker in workers.items() if w not in wrong}, options.rounds
    )
    for worker in workers.values():
        worker.connection.close()
        worker.process.join()

    best = {
        name: min((way for way in times if way.name == name), key=lambda way: median(times[way]))
        for name in TITLES
        if any(way.name == name for way in times)
    }
    ratios = {
        RATIOS[name]: ratio(times, best["mmjax"], best[name])
        for name in RATIOS
        if name in best and "mmjax" in best
    }
    folder.write_json(
        "benchmark.json",
        {
            "step_us": median(times[best["mmjax"]]),
            **{key: ratios.get(key) for key in RATIOS.values()},
            "rounds": options.rounds,
            **{f"us: {way}": times[way] for way in times},
            **environment(),
        },
    )
    show(times, best, ratios, missing, wrong)
    picture = plots.step_times({str(way): np.array(times[way]) for way in times})
    drawing.write_picture(picture, options.out / "benchmark.svg")
    print(f"\n{options.out}: benchmark.json, benchmark.svg")
    return 1 if wrong else 0


def prepared(names: list[str]) -> tuple[np.ndarray, Problem]:
    """Return the training tokens of a list, and the starting point of every way.

    Raises `InputError` as `corpus` does.
    """
    letters = vocab.build(names)
    tokens = corpus.encode(letters, corpus.split(names).train)
    config = mlp.MLP(vocab_size=letters.size)
    state = train.init(config, train.Recipe(), jax.random.key(0))
    every = jnp.arange(len(tokens) - 1)
    contexts, targets = corpus.windows(jnp.asarray(tokens), every, config.block_size)
    params = [np.asarray(leaf) for leaf in jax.tree.leaves(state.params)]
    return tokens, Problem(params, np.asarray(contexts), np.asarray(targets))


def start(way: Way, tokens: np.ndarray, problem: Problem) -> Worker:
    """Start the process of a way; its libraries get the way's number of threads."""
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=serve, args=(there, way, tokens, problem), daemon=True)
    limits = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")
    before = {name: os.environ.get(name) for name in limits}
    os.environ.update(dict.fromkeys(limits, str(way.threads)))
    process.start()
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value
    there.close()
    return Worker(process, here)


def serve(connection: Connection, way: Way, tokens: np.ndarray, problem: Problem) -> None:
    """Answer requests in the worker until the connection closes.

    It first prepares what is to be timed.
    """
    made = {"mmjax": ours, "floor": floor}.get(way.name, partial(theirs, way))(tokens, problem)
    try:
        while True:
            connection.send(made[connection.recv()]())
    except (EOFError, KeyboardInterrupt):
        return


Answers = Mapping[str, Callable[[], Any]]


def ours(tokens: np.ndarray, problem: Problem) -> Answers:
    """Return the answers of this library.

    A turn is a chunk of steps, as the programs run it. The check is against NumPy by hand.
    """
    config = mlp.MLP(vocab_size=len(problem.params[0]))
    recipe = train.Recipe(batch_size=BATCH)
    state = [train.init(config, recipe, jax.random.key(0))]
    on_device = jnp.asarray(tokens)

    def check() -> float:
        index = checked_batches(problem)
        start = jax.tree.map(jnp.copy, state[0])

        @jax.jit
        def step(state: train.TrainState, index: jax.Array) -> tuple[train.TrainState, jax.Array]:
            batch = Batch(*corpus.windows(on_device, index, config.block_size))
            return train.train_step(config, recipe, state, batch)

        end, losses = jax.lax.scan(step, start, jnp.asarray(index))
        return differs(problem, np.asarray(losses), jax.tree.leaves(end.params))

    def turn() -> float:
        started = time.perf_counter()
        state[0], losses = train.advance(config, recipe, state[0], on_device, steps=STEPS["mmjax"])
        losses.block_until_ready()
        return 1e6 * (time.perf_counter() - started) / STEPS["mmjax"]

    return {"check": check, "turn": turn}


def theirs(way: Way, tokens: np.ndarray, problem: Problem) -> Answers:
    """Return the answers of a baseline."""
    del tokens
    make = {"lecture": baselines.lecture, "compiled": baselines.compiled}
    if way.name in make:
        import torch  # pyright: ignore[reportMissingImports]

        torch.set_num_threads(way.threads)
        torch.manual_seed(0)
    baseline = make.get(way.name, baselines.by_hand)(problem)
    steps = STEPS.get(way.name, OTHER_STEPS)

    def check() -> float:
        losses = [baseline.step(index) for index in checked_batches(problem)]
        return differs(problem, np.array(losses), baseline.parameters())

    def turn() -> float:
        started = time.perf_counter()
        for _ in range(steps):
            baseline.step(baseline.draw(BATCH))
        return 1e6 * (time.perf_counter() - started) / steps

    return {"check": check, "turn": turn}


def floor(tokens: np.ndarray, problem: Problem) -> Answers:
    """Return the answers of a step's matrix products alone, in NumPy's BLAS."""
    del tokens
    go, steps = products(problem.params[1:], BATCH), STEPS["floor"]

    def turn() -> float:
        started = time.perf_counter()
        go(steps)
        return 1e6 * (time.perf_counter() - started) / steps

    return {"check": lambda: 0.0, "turn": turn}


def products(params: Any, batch: int) -> Callable[[int], None]:
    """Return a function that computes the matrix products of a number of steps.

    For each weight matrix these are the forward product, the gradient of the input and the gradient
    of the weights. The weights are the matrices among the leaves of `params`; leave out the
    embedding.
    """
    rng = np.random.default_rng(0)
    weights = [np.asarray(leaf) for leaf in jax.tree.leaves(params) if leaf.ndim == 2]
    inputs = [rng.normal(size=(batch, len(weight))).astype(np.float32) for weight in weights]
    grads = [rng.normal(size=(batch, weight.shape[1])).astype(np.float32) for weight in weights]
    layers = [*zip(inputs, weights, grads, strict=True)]

    def go(steps: int) -> None:
        for _ in range(steps):
            for x, weight, _grad in layers:
                _ = x @ weight
            for x, weight, grad in reversed(layers):
                _ = grad @ weight.T
                _ = x.T @ grad

    return go


def checked_batches(problem: Problem) -> np.ndarray:
    """Return the examples [steps, batch] of the steps on which all ways are compared."""
    return np.random.default_rng(1).integers(0, len(problem.targets), (CHECKED_STEPS, BATCH))


def differs(problem: Problem, losses: np.ndarray, params: Sequence[Any]) -> float:
    """Return the largest difference of losses and parameters from NumPy's.

    The losses are those of `CHECKED_STEPS` steps, the parameters those after them.
    """
    reference = baselines.by_hand(problem)
    expected = np.array([reference.step(index) for index in checked_batches(problem)])
    pairs = zip(params, reference.parameters(), strict=True)
    return max(
        float(abs(losses - expected).max()),
        *(float(abs(np.asarray(a) - b).max()) for a, b in pairs),
    )


def is_small(difference: float | None) -> bool:
    """Return whether a way computes the same as NumPy.

    `difference` is None for a way that could not be started.
    """
    return difference is not None and difference < TOLERANCE


def take_turns(workers: Mapping[Way, Worker], rounds: int) -> dict[Way, list[float]]:
    """Return the microseconds per step of every way in every round.

    One more round comes first and does not count.
    """
    times: dict[Way, list[float]] = {way: [] for way in workers}
    with tqdm(total=rounds * len(workers), unit="turn", disable=None) as progress:
        for i in range(rounds + 1):
            for way, worker in workers.items():
                taken = worker.ask("turn")
                if i:
                    times[way].append(taken)
                    progress.update()
    return times


def ratio(times: Mapping[Way, Sequence[float]], ours: Way, other: Way) -> float:
    """Return the median over rounds of theirs / ours, or of ours / floor."""
    pairs = zip(times[ours], times[other], strict=True)
    return median([a / b if other.name == "floor" else b / a for a, b in pairs])


def show(
    times: Mapping[Way, Sequence[float]],
    best: Mapping[str, Way],
    ratios: Mapping[str, float],
    missing: Sequence[str],
    wrong: Mapping[Way, float | None],
) -> None:
    """Print the table."""
    rows = []
    for way, taken in times.items():
        counts = best[way.name] == way
        shown = ratios.get(RATIOS.get(way.name, "")) if counts else None
        against = "" if shown is None else f"{shown:.2f}"
        rows.append(
            (str(way), *(f"{us:,.0f}" for us in (median(taken), min(taken), max(taken))), against)
        )
    header = ["a training step", "µs, median", "least", "most", "theirs / ours"]
    print(Table(header, rows))
    print(
        "\nIn the row of the matrix products the ratio is ours / theirs. Each ratio uses the faster number of threads."
    )
    for name in missing:
        print(f"{TITLES[name]}: torch is not installed; pip install -e '.[parity]'")
    for way, difference in wrong.items():
        reason = "did not start" if difference is None else f"is off by {difference:.2g}"
        print(f"{way}: {reason}, so it is not timed")


if __name__ == "__main__":
    main("python -m experiments.benchmark", Options, program)
