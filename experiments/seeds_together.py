"""Several seeds of one experiment: mean and spread of every figure, and their losses in one picture."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments import pictures
from experiments.compare import losses
from experiments.program import Table
from experiments.run_folder import LOSSES, RunFolder
from mmjax import figures


def mean_of(records: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean over records of every figure in them; where all have the same, that."""
    first, *others = records
    return {
        key: value
        if all(record[key] == value for record in others)
        else float(np.mean(values(records, key)))
        for key, value in first.items()
    }


def values(runs: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    """A figure of every run."""
    return [run[key] for run in runs]


def spread(found: Sequence[float]) -> float:
    """The standard deviation of a sample; NaN if one of the figures is no finite number."""
    with np.errstate(invalid="ignore"):
        return float(np.std(found, ddof=1))


def show(folder: RunFolder, runs: Mapping[str, Mapping[str, Any]]) -> None:
    """Print what the runs in the folder have come to, and write it and the picture there.

    In the summary stand the figures that are the same in all runs, and of the others mean (`loss_val`) and
    standard deviation (`loss_val_std`).
    """
    each = list(runs.values())
    same = {k: value for k, value in each[0].items() if all(run[k] == value for run in each)}
    varying = [
        key
        for key in each[0]
        if key not in same and all(isinstance(run[key], float) for run in each)
    ]
    rows = [
        (key, float(np.mean(found)), spread(found), min(found), max(found))
        for key, found in ((key, values(each, key)) for key in varying)
    ]
    print(Table([f"over {len(runs)} seeds", "mean", "std", "lowest", "highest"], rows))
    symptoms = Counter(finding for run in each for finding in run["findings"])
    for finding, count in symptoms.items():
        print(f"\nFinding: {finding}, in {count} of {len(runs)}")
    means = {key: center for key, center, *_ in rows}
    stds = {f"{key}_std": std for key, _, std, *_ in rows}
    folder.write_summary({"seeds": len(runs), **same, **means, **stds})
    curves = {name: losses(folder.path / name) for name in runs if each[0]["steps"]}
    if curves:
        pictures.write(figures.losses_compared(curves), folder.path / LOSSES)
