"""Run an entry of a speedrun and judge it: `python -m experiments.speedrun TRACK --help`."""

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import tyro

from experiments.speedruns import course, logs, rules, trial
from experiments.speedruns.entries import ENTRIES
from experiments.speedruns.tracks import TRACKS, Entry
from mmjax.cli.devices import a_device_for_each_core
from mmjax.cli.program import main
from mmjax.commands.name_list import NameList
from mmjax.errors import require, require_ranges
from mmjax.io.text import Table
from mmjax.runs.layout import make_folder

TrackName = Literal[tuple(TRACKS)]  # pyright: ignore[reportInvalidTypeForm]
CORES = 2


@dataclass(frozen=True)
class Options:
    """Run an entry of a speedrun with many seeds, in turns with the entry before it.

    records/README.md has the rules. The clock runs from the tokens to the trained weights. It leaves
    out compilation, in a first run of each entry, and the validation loss.
    """

    track: Annotated[TrackName, tyro.conf.Positional]  # pyright: ignore[reportInvalidTypeForm]
    """What counts: seconds to a loss, steps to a loss, or the loss."""
    name_list: NameList
    entry: str | None = None
    """Run this entry; by default the newest of the track."""
    against: str | None = None
    """Time this entry in turns with it; by default the one before it."""
    alone: bool = False
    """Time no other entry."""
    seeds: int = rules.OFFICIAL
    """Run with seeds from 0 to one less than this number."""
    out: Path = Path("runs/speedrun")
    """Write log.json to this folder."""
    keep: bool = False
    """Keep the log in records/ if it counts, and write the tables there."""

    def __post_init__(self):
        require_ranges(self, seeds=(1, 1_000))
        for name in (self.entry, self.against):
            known = ENTRIES[self.track]
            require(
                name is None or name in known,
                f"{self.track} has no entry {name!r}; it has {', '.join(known)}",
            )
        require(not (self.alone and self.against), "give --against or --alone, not both")


def chosen(options: Options) -> dict[str, Entry]:
    """Return the entry to run and the one to time in turns with it, by name."""
    known = ENTRIES[options.track]
    name = options.entry or list(known)[-1]
    before = list(known)[: list(known).index(name)][-1:]
    others = [] if options.alone else [options.against] if options.against else before
    return {each: known[each] for each in (name, *others)}


def program(options: Options) -> int:
    """Run, show and save; return the exit status."""
    entries = chosen(options)
    name = next(iter(entries))
    names = options.name_list.read()
    listed = sha256("\n".join(names).encode()).hexdigest()
    ready = course.of_names(names)
    if hasattr(os, "sched_setaffinity"):  # macOS and Windows do not have this call
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    a_device_for_each_core(CORES)
    jax.devices()  # without a device, fail here, before anything is written
    make_folder(options.out)
    print(f"{options.track}: {TRACKS[options.track].title}")
    trials: dict[str, trial.Trial] = {}
    for each, trials[each] in trial.tried(entries, ready, range(options.seeds)):
        done = trials[each]
        if not done.tries:
            print(f"{each}: {done.parameters:,} parameters, warm-up {done.warm_up:.1f} s")
        else:
            seed, seconds, loss = done.tries[-1]
            print(f"{each}: seed {seed}, {seconds:.3f} s, validation loss {loss:.4f}", flush=True)
    log = logs.log_of(options.track, name, trials, f"{len(names)} names, sha256 {listed}")
    logs.write(options.out / "log.json", log)
    show(entries, trials, log)
    print(f"\n{options.out}: log.json")
    if options.keep and log["counts"] == "yes":
        print(f"kept: {logs.keep(log)}")
    return 0 if log["counts"] == "yes" or not options.keep else 1


def show(entries: dict[str, Entry], trials: dict[str, trial.Trial], log: dict[str, Any]) -> None:
    """Print the means, and whether the entry counts."""
    rows = []
    for name, each in trials.items():
        found = logs.figures(each)
        times = (found["seconds_mean"], min(each.seconds), max(each.seconds))
        losses = (found["loss_val_mean"], found["loss_val_std"])
        rows.append((name, entries[name].steps, *times, *losses))
    print()
    print(Table(["", "steps", "s, mean", "lowest", "highest", "val loss", "std"], rows))
    print(f"\nscore (records/README.md; {rules.BOUND} counts): {logs.shown(log, 'score')}")
    print(f"score of the gain on {log['against']}: {logs.shown(log, 'score_against')}")
    print(f"counts: {log['counts']}")


if __name__ == "__main__":
    main("python -m experiments.speedrun", Options, program)
