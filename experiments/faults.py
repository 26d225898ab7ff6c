"""Measure the findings of health on runs with known faults: `python -m experiments.faults`."""

import json
import os
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import Queue, get_context
from pathlib import Path

from experiments.faultbench import bench
from experiments.faultbench.case import HELD_OUT, TUNING, Case
from experiments.faultbench.faults import FAULTS
from experiments.faultbench.healthy import HEALTHY
from mmjax import corpus
from mmjax.cli.compiled import keep_compiled
from mmjax.cli.devices import keep_to, usable_cores
from mmjax.cli.program import main
from mmjax.errors import require
from mmjax.io.text import Table


@dataclass(frozen=True)
class Options:
    """Train runs with one known fault each, and healthy runs, and count what `health` finds.

    A run is detected if it has a warning or a fault among its findings. Its cause is named if one
    of the first two names it. A healthy run with a warning or a fault is a false alarm.
    """

    names: Path = Path("data/names.txt")
    """The list of names."""
    seeds: int = 10
    """Runs of each setting."""
    only: str = ""
    """Settings whose name contains this."""
    half: str = ""
    """Settings of this half: tuning or held out; by default both."""
    out: Path | None = None
    """Write the findings of every run to this JSON file."""


def program(options: Options) -> int:
    """Run the bench and print its tables; return the exit status."""
    require(options.seeds >= 1, f"--seeds must be at least 1, not {options.seeds}")
    corpus.read_names(options.names)  # so that a missing list is refused before the workers start
    cases = [
        case
        for case in bench.CASES.values()
        if options.only in case.name and options.half in ("", case.half)
    ]
    require(bool(cases), "no setting has this name; python -m experiments.faults prints all")
    started, found = time.perf_counter(), {}
    # Each setting compiles its own network, on one core. So every core takes settings of its own.
    # Threads of numpy's linear algebra would wait for each other.
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
    spawn = get_context("spawn")
    free = spawn.Queue()
    for core in usable_cores():
        free.put(core)
    work = partial(bench.outcomes, seeds=options.seeds, shipped=str(options.names))
    with ProcessPoolExecutor(free.qsize(), spawn, start_worker, (free,)) as pool:
        for case, (outcomes, seconds) in zip(
            cases, pool.map(work, [case.name for case in cases]), strict=True
        ):
            found[case] = outcomes
            show(case, outcomes, seconds)
    print()
    print(summary(found))
    print(f"\n{sum(map(len, found.values()))} runs in {time.perf_counter() - started:.0f} s")
    if options.out:
        write(options.out, found)
    return 0


def start_worker(free: Queue) -> None:
    """Prepare a worker, which keeps to one core."""
    keep_to(free.get())
    keep_compiled()


def show(case: Case, outcomes: list[bench.Outcome], seconds: float) -> None:
    """Print one setting: how often it was detected and named, and its first symptoms."""
    counted = bench.tally([(case, outcomes)])
    first = Counter(" + ".join(each.alarms[:2]) or "nothing" for each in outcomes)
    said = ", ".join(f"{count} {symptoms}" for symptoms, count in first.most_common(3))
    loss = sum(each.loss_val for each in outcomes) / len(outcomes)
    figures = f"{counted.detected:3}/{counted.runs} {counted.named:3}"
    print(
        f"{case.half:9}{case.name:38}{figures}  loss {loss:6.3f}  {seconds:4.1f} s  {said}",
        flush=True,
    )


def summary(found: dict[Case, list[bench.Outcome]]) -> Table:
    """Return the table of both halves."""
    rows = []
    for half in (TUNING, HELD_OUT):
        for what, cases in (("faults", FAULTS), ("healthy", HEALTHY)):
            chosen = [(case, found[case]) for case in cases if case in found and case.half == half]
            if chosen:
                counted = bench.tally(chosen)
                named = f"{100 * counted.shares[1]:.1f} %" if what == "faults" else ""
                share = f"{100 * counted.shares[0]:.1f} %"
                rows.append((half, what, len(chosen), counted.runs, share, named))
    return Table(["half", "runs with", "settings", "runs", "with an alarm", "cause named"], rows)


def write(path: Path, found: dict[Case, list[bench.Outcome]]) -> None:
    """Write the findings of every run as JSON."""
    rows = [
        {"setting": case.name, "half": case.half, "seed": each.seed, "alarms": each.alarms}
        for case, outcomes in found.items()
        for each in outcomes
    ]
    path.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main("python -m experiments.faults", Options, program)
