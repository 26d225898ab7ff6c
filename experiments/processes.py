"""Measure what a second process costs and saves: `python -m experiments.processes`."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from tqdm import tqdm

from experiments.bench.costs import Cost, fitted
from mmjax import plots
from mmjax.cli.program import main
from mmjax.errors import require
from mmjax.io.text import Table
from mmjax.report import drawing
from mmjax.runs.environment import environment
from mmjax.runs.folder import RunFolder

NETWORKS: dict[str, dict[str, Any]] = {
    "the lecture's network": {},
    "three layers of 300": {"hidden_layers": 3, "hidden_size": 300},
}


@dataclass(frozen=True)
class Options:
    """Time a training step in one process, and in two on this machine that share each batch.

    A model of the cost is fitted to both: start + examples x time of one example, and with two
    processes half of the examples in each, and messages between them. It gives the batch from which
    two processes are faster.
    """

    names: Path = Path("data/names.txt")
    """The list of names."""
    out: Path = Path("runs/processes")
    """Write processes.json and processes.svg to this folder."""
    batch_sizes: tuple[int, ...] = (32, 1_024, 4_096)
    """Measure batches of these sizes, even numbers."""

    def __post_init__(self):
        sizes = sorted({*self.batch_sizes})
        require(
            len(sizes) > 1 and sizes[0] >= 2 and not any(size % 2 for size in sizes),
            f"--batch-sizes must be two or more even numbers, not {self.batch_sizes}",
        )


def program(options: Options) -> int:
    """Measure, show and save; return the exit status."""
    folder = RunFolder(options.out, options)
    times: dict[str, dict[int, dict[int, float]]] = {name: {} for name in NETWORKS}
    turns = [(name, count) for name in NETWORKS for count in (1, 2)]
    for name, count in tqdm(turns, disable=None):
        times[name][count] = measured(options, NETWORKS[name], count)
    costs = {name: fitted(by_count) for name, by_count in times.items()}
    for name, by_count in times.items():
        show(name, by_count, costs[name])
    said = {
        name: {"us": times[name], **cost._asdict(), "break_even": cost.break_even}
        for name, cost in costs.items()
    }
    folder.write_json("processes.json", {**said, **environment()})
    points = {
        name: {
            count: np.array([[size, us, costs[name].step(size, count)] for size, us in row.items()])
            for count, row in by_count.items()
        }
        for name, by_count in times.items()
    }
    ends = {name: cost.break_even for name, cost in costs.items()}
    drawing.write_picture(plots.process_costs(points, ends), options.out / "processes.svg")
    print(f"{options.out}: processes.json, processes.svg")
    return 0


def measured(options: Options, network: Mapping[str, Any], count: int) -> dict[int, float]:
    """Return the microseconds of a step by batch size, in so many processes."""
    address = free_address()
    sizes = json.dumps({"network": network, "batch_sizes": sorted({*options.batch_sizes})})
    # Else each process computes its larger products on every core, and they wait for each other.
    settings = os.environ | {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
    program, pipe = "experiments.bench.together", {"stdout": subprocess.PIPE, "text": True}
    arguments = [[str(count), str(i), address, str(options.names), sizes] for i in range(count)]
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", program, *each], stderr=subprocess.PIPE, env=settings, **pipe
        )
        for each in arguments
    ]
    said = [worker.communicate() for worker in workers]
    for worker, (_, errors) in zip(workers, said, strict=True):
        reason = errors.strip().rpartition("\n")[2]
        require(worker.returncode == 0, f"a process of {count} failed: {reason}")
    found = json.loads(said[0][0].splitlines()[-1])
    return {int(size): median(us) for size, us in found.items()}


def free_address() -> str:
    """Return the loopback address with a port that no program uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def show(name: str, times: Mapping[int, Mapping[int, float]], cost: Cost) -> None:
    """Print the table of a network."""
    rows: list[Sequence[Any]] = [
        (
            f"{size:,}",
            *(f"{us:,.0f}" for us in (one, cost.step(size, 1), two, cost.step(size, 2))),
            f"{one / two:.2f}",
        )
        for (size, one), two in zip(times[1].items(), times[2].values(), strict=True)
    ]
    print(f"{name}: {cost.start:,.0f} µs + {cost.example:.2f} µs per example,", end=" ")
    print(f"messages {cost.messages:,.0f} µs; two are faster from {cost.break_even:,.0f} examples")
    header = ["batch size", "one, µs", "model", "two, µs", "model", "times as fast"]
    print(f"{Table(header, rows)}\n")


if __name__ == "__main__":
    main("python -m experiments.processes", Options, program)
