"""The logs of entries, and the tables of records/README.md, which are made from them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from experiments.speedruns.code_version import code_version
from experiments.speedruns.entries import ENTRIES
from experiments.speedruns.rules import ROUNDING, better, counts, score
from experiments.speedruns.tracks import TRACKS
from experiments.speedruns.trial import Trial
from mmjax.cli.devices import cores
from mmjax.io import files
from mmjax.io.json import read_object
from mmjax.runs.environment import environment
from mmjax.runs.layout import finite, make_folder
from mmjax.runs.seeds import spread

RECORDS = Path(__file__).parents[2] / "records"


def log_of(track: str, name: str, trials: dict[str, Trial], listed: str) -> dict[str, Any]:
    """Return what the log of an entry holds, with the entry that was timed in turns with it.

    `listed` describes the list of names.
    """
    entry, trial, target = ENTRIES[track][name], trials[name], TRACKS[track].target
    log = {
        "track": track,
        "entry": name,
        "about": entry.about,
        "target": target,
        "limit": TRACKS[track].limit,
        "score": None if target is None else score(trial.losses, target),
        "steps": entry.steps,
        "parameters": trial.parameters,
        "seeds": [each.seed for each in trial.tries],
        **figures(trial),
        "against": None,
        "score_against": None,
    }
    for other in trials.keys() - {name}:
        steps = (entry.steps, ENTRIES[track][other].steps)
        log["against"] = other
        log["score_against"] = better(TRACKS[track], trial, trials[other], steps)
        log |= {f"against_{key}": value for key, value in figures(trials[other]).items()}
    log |= {"list": listed, "code": code_version(), **environment()}
    return finite({**log, "cpus": cores(), "counts": counts(log)})


def figures(trial: Trial) -> dict[str, Any]:
    """Return the figures of a trial for the log."""
    return {
        "seconds": trial.seconds,
        "seconds_mean": float(np.mean(trial.seconds)),
        "loss_val": trial.losses,
        "loss_val_mean": float(np.mean(trial.losses)),
        "loss_val_std": spread(trial.losses) if len(trial.losses) > 1 else None,
        "warm_up_seconds": trial.warm_up,
    }


def shown(log: dict[str, Any], key: str) -> str:
    """Return a score as the tables show it; a log has null for infinity, where nothing varies."""
    if log["against" if key == "score_against" else "target"] is None:
        return ""
    return "no spread" if log[key] is None else f"{log[key]:.1f}"


def keep(log: dict[str, Any]) -> Path:
    """Write a log to the records, and the tables; return its path."""
    track, name = log["track"], log["entry"]
    number = 1 + list(ENTRIES[track]).index(name)
    path = RECORDS / track / f"{number:02}-{name}" / "log.json"
    make_folder(path.parent)
    write(path, log)
    page = RECORDS / "README.md"
    files.write(page, with_tables(page.read_text(encoding="utf-8")))
    return path


def write(path: Path, log: dict[str, Any]) -> None:
    """Write a log as JSON, one key per line."""
    lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in log.items())
    files.write(path, f"{{\n{lines}\n}}\n")


def with_tables(page: str) -> str:
    """Return a page with a table of the kept logs after each comment that names a track."""

    def table(found: re.Match[str]) -> str:
        rows = "".join(f"{row}\n" for row in rows_of(found[1]))
        return f"<!-- {found[1]} -->\n{rows}<!-- end -->"

    return re.sub(r"<!-- ([a-z-]+) -->\n.*?<!-- end -->", table, page, flags=re.DOTALL)


def rows_of(track: str) -> Iterator[str]:
    """Yield the lines of a track's table."""
    yield "| entry | what it does | seconds | steps | validation loss | score | log |"
    yield "|---|---|---|---|---|---|---|"
    for path in sorted((RECORDS / track).glob("*/log.json")):
        log = read_object(path)
        steps = "" if log["steps"] is None else f"{log['steps']:,}"
        varies = (log["loss_val_std"] or 0.0) > ROUNDING
        std = f" ± {log['loss_val_std']:.4f}" if varies else ""
        link = f"[{path.parent.name}]({track}/{path.parent.name}/log.json)"
        yield (
            f"| {log['entry']} | {log['about']} | {log['seconds_mean']:.2f} | {steps} "
            f"| {log['loss_val_mean']:.4f}{std} | {shown(log, 'score')} | {link} |"
        )
