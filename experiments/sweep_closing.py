"""What a sweep shows and writes at its end."""

import csv
import io
import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.sweep_options import Options
from mmjax import report
from mmjax.commands.name_list import SplitList
from mmjax.io import files
from mmjax.models.mlp import MLP
from mmjax.report.search import SHOWN, finalist_table, trial_table
from mmjax.runs.environment import environment
from mmjax.runs.folder import RunFolder
from mmjax.runs.layout import plain
from mmjax.search import Space, Study, findings, results
from mmjax.search.outcome import Outcome, ranked
from mmjax.train import RECIPES

TABLE = "table.csv"


def close(options: Options, space: Space, study: Study, folder: RunFolder) -> int:
    """Show and write the results of a sweep; return the exit status."""
    outcomes, finalists = ranked(results.outcomes(study)), results.finalists(study)
    found = findings(space.options, outcomes, finalists)
    files.write(folder.path / TABLE, table(outcomes, [*space.options]))
    print()
    print(trial_table(space.options, outcomes[:SHOWN]))
    seconds = results.training_seconds(study)
    figures: dict[str, Any] = {
        "trials": len(outcomes),
        "network_steps": results.network_steps(study),
        "training_seconds": round(seconds, 3),
    }
    command = ""
    lead = f"{len(outcomes):,} trials of {len(space.options)} options. "
    if finalists:
        best = finalists[0]
        command = mlp_command(options, space, best.trial.options)
        figures |= {
            "loss_val": best.mean,
            "loss_val_std": best.std,
            "winner": best.trial.number,
            **best.trial.options,
        }
        lead += f"Lowest mean validation loss {best.mean:.4f} nats per character."
        print(f"\nThe best, trained again with {options.seeds} other seeds:\n")
        print(finalist_table(space.options, finalists))
        print("\nValidation loss in nats per character.")
    else:
        lead += "No trial ended with a finite loss."
        print("\nNo trial ended with a finite loss.")
    for finding in found:
        print(f"Note: {finding.what}; {finding.remedy}.")
    if command:
        print(f"\nTrain the best: {command}")
    folder.write_summary({**figures, **environment()})
    page = report.of_search(
        *(f"Sweep on {options.name_list.names.name}", lead, command, space.options),
        *(outcomes, finalists, found, plain(options), {**figures, **environment()}),
    )
    report.write(page, folder.path)
    print(f"\n{folder.contents()}")
    return 0 if finalists else 1


def table(outcomes: Sequence[Outcome], options: Sequence[str]) -> str:
    """Return every trial as CSV, in the order of their numbers.

    It has no times, so the same search gives the same bytes.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["trial", *options, "steps", "loss_val", "parameters"])
    for each in sorted(outcomes, key=lambda each: each.trial.number):
        loss = repr(each.loss_val) if math.isfinite(each.loss_val) else ""
        values = [_typed(each.trial.options[name]) for name in options]
        rows.writerow([each.trial.number, *values, each.step, loss, each.parameters])
    return text.getvalue()


def mlp_command(options: Options, space: Space, best: Mapping[str, Any]) -> str:
    """Return the command that trains the network of a trial."""
    typed = ["python", "-m", "experiments.mlp", *options.name_list.typed()]
    typed += ["--recipe", space.recipe]
    typed += ["--no-early-stopping"] * RECIPES[space.recipe].early_stopping
    for name, value in {**space.fixed, **best}.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            typed += _switch(option, name, value)
        elif value != ():
            typed += [f"--{option}", *_typed(value).split()]
    for name in ("split_seed", "shuffles"):
        value = getattr(options.name_list, name)
        if value != getattr(SplitList, name):
            typed += [f"--{name.replace('_', '-')}", str(value)]
    # The seeds of the finalists, so that the losses are those of the sweep.
    typed += ["--seed", str(options.seed + 1), "--seeds", str(options.seeds)]
    return shlex.join([*typed, "--out", str(options.out / "winner")])


def _switch(option: str, name: str, value: bool) -> list[str]:
    """Return a switch as it is typed; one that is on by default has the form --no-x."""
    if value == getattr(MLP, name, False):
        return []
    return [f"--{option}" if value else f"--no-{option}"]


def _typed(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
