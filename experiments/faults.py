"""Measure the findings of health on runs with known faults: `python -m experiments.faults`."""

import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from experiments.faultbench import bench, results
from experiments.faultbench.results import Found, Remedy
from experiments.faultbench.workers import workers
from mmjax import corpus
from mmjax.cli.program import main
from mmjax.errors import require

SHORT = 4  # --short takes every fourth setting


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
    kind: Literal["all", "faults", "healthy"] = "all"
    """Settings of this kind."""
    half: str = ""
    """Settings of this half: tuning or held out; by default both."""
    short: bool = False
    """Only every fourth of these settings."""
    remedies: bool = False
    """Train each faulty setting again with the remedy of its first finding, if that is a setting, and
    compare the validation losses."""
    out: Path | None = None
    """Write the findings of every run to this JSON file."""


def program(options: Options) -> int:
    """Run the bench and print its tables; return the exit status."""
    require(options.seeds >= 1, f"--seeds must be at least 1, not {options.seeds}")
    corpus.read_names(options.names)  # so that a missing list is refused before the workers start
    cases = [
        case
        for case in bench.CASES.values()
        if options.only in case.name
        and options.half in ("", case.half)
        and options.kind in ("all", "faults" if case.symptoms else "healthy")
    ]
    cases = cases[:: SHORT if options.short else 1]
    require(bool(cases), "no setting has this name; python -m experiments.faults prints all")
    started, found = time.perf_counter(), {}
    work = partial(bench.outcomes, seeds=options.seeds, shipped=str(options.names))
    with workers() as pool:
        done = pool.map(work, [case.name for case in cases])
        for case, (outcomes, seconds) in zip(cases, done, strict=True):
            found[case] = outcomes
            print(results.line(case, outcomes, seconds), flush=True)
        print(f"\n{results.summary(found)}")
        print(f"\n{results.instruments(found)}")
        print(f"\n{sum(map(len, found.values()))} runs in {time.perf_counter() - started:.0f} s")
        if options.out:
            results.write(options.out, found)
        if options.remedies:
            print(f"\n{results.remedies(tried(pool, found, options))}")
    return 0


def tried(pool: ProcessPoolExecutor, found: Found, options: Options) -> list[Remedy]:
    """Return what the remedies did to the faulty settings that have one."""
    able = {
        case: changes
        for case, outcomes in found.items()
        if case.symptoms and (changes := results.remedy_of(outcomes))
    }
    work = partial(bench.remedied, seeds=options.seeds, shipped=str(options.names))
    done = pool.map(work, [case.name for case in able], able.values())
    before = ([each.loss_val for each in found[case]] for case in able)
    return [
        Remedy(case, changes, old, new)
        for (case, changes), old, new in zip(able.items(), before, done, strict=True)
    ]


if __name__ == "__main__":
    main("python -m experiments.faults", Options, program)
