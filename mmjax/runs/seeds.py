"""Several seeds of one run: mean and spread of every figure."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Row = tuple[str, float, float, float, float]
COLUMNS = {
    "step": "step",
    "seconds": "seconds",
    "training": "loss_batch",
    "validation": "loss_val",
}


def mean_of(records: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of every figure over the records.

    A figure that is the same in all records is returned unchanged.
    """
    first, *others = records
    return {
        key: value
        if all(record[key] == value for record in others)
        else float(np.mean([record[key] for record in records]))
        for key, value in first.items()
    }


def spread(found: Sequence[float]) -> float:
    """Return the standard deviation of a sample.

    It is NaN if a figure is not finite.
    """
    with np.errstate(invalid="ignore"):
        return float(np.std(found, ddof=1))


def summarised(runs: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], list[Row]]:
    """Return the summary of several runs, and its table rows.

    Each varying figure has a row: name, mean, standard deviation, lowest and highest. In the
    summary, a figure that is the same in all runs is unchanged; a varying one gives its mean (for
    example `loss_val`) and standard deviation (`loss_val_std`). Findings are counted. A check has
    passed if it has passed in every run. Other values that differ are lists with one entry per run.
    """
    summary: dict[str, Any] = {"seeds": len(runs)}
    rows: list[Row] = []
    for key in runs[0]:
        found = [run[key] for run in runs]
        if all(value == found[0] for value in found):
            summary[key] = found[0]
        elif key == "findings":
            counted = Counter(finding for findings in found for finding in findings)
            summary[key] = [f"{finding}, in {n} of {len(runs)}" for finding, n in counted.items()]
        elif all(isinstance(value, bool) for value in found):
            summary[key] = all(found)
        elif all(isinstance(value, float | None) for value in found):
            numbers = [math.nan if value is None else value for value in found]
            mean, std = float(np.mean(numbers)), spread(numbers)
            summary[key], summary[f"{key}_std"] = mean, std
            rows.append((key, mean, std, min(numbers), max(numbers)))
        else:
            summary[key] = found
    return summary, rows


def curves(records: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Return a run's steps, seconds and losses from its metrics."""
    return {
        name: np.array([record.get(key) for record in records], np.float64)
        for name, key in COLUMNS.items()
    }
