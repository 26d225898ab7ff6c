"""Remedies of findings, tried: a short training with each of them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np

from mmjax import data, evaluate, metrics, train
from mmjax.commands import training
from mmjax.diagnostics import Finding
from mmjax.diagnostics.finding import option
from mmjax.io.text import Table
from mmjax.models.mlp import MLP
from mmjax.runs import command_line
from mmjax.runs.lists import SPLITTING
from mmjax.train import Recipe

MEASURED = 10  # validation losses of each trial
NOISE = 0.005  # nats: smaller differences are no help


class Tried(NamedTuple):
    """One remedy, and the validation loss after a short training with it."""

    symptom: str
    changes: Mapping[str, Any]
    loss: float
    """In nats per character; NaN after a non-finite number."""


class Trials(NamedTuple):
    """What came of the remedies of a run."""

    steps: int
    before: float
    """Validation loss of the run's own settings after as many steps."""
    tried: list[Tried]
    untried: list[Finding]
    """Findings whose remedy is no setting, or changes the list that the losses are measured on."""


def trials(
    settings: Mapping[str, Any],
    findings: Sequence[Finding],
    tokens: Mapping[str, np.ndarray],
    steps: int,
) -> Trials:
    """Train for at most `steps` steps as a run did, then with the changes of each finding."""
    remedies: dict[str, Finding] = {}
    untried = []
    for finding in findings:
        if not finding.changes or any(name in SPLITTING for name in finding.changes):
            untried.append(finding)
        else:
            remedies.setdefault(option(finding.changes), finding)
    steps = min(steps, settings["steps"])
    before = loss_with(settings, {}, tokens, steps)
    tried = [
        Tried(each.symptom, each.changes, loss_with(settings, each.changes, tokens, steps))
        for each in remedies.values()
    ]
    return Trials(steps, before, tried, untried)


def loss_with(
    settings: Mapping[str, Any],
    changes: Mapping[str, Any],
    tokens: Mapping[str, np.ndarray],
    steps: int,
) -> float:
    """Return the validation loss after the first steps of a run with some settings changed.

    With early stopping, it is the lowest on the way.
    """
    settings = {**settings, **changes}
    model = MLP(**_of(MLP, settings))
    recipe = Recipe(**_of(Recipe, settings))
    examples = data.of(recipe.data, tokens["train"], model, noise=recipe.noise)
    chunk = 2 * max(1, steps // (2 * MEASURED))
    losses: list[float] = []

    def measured(records: Sequence[Mapping[str, float]], chunk: train.Chunk) -> None:
        del chunk
        losses.append(records[0]["loss_val"])

    def enough(records: Sequence[Mapping[str, float]]) -> str | None:
        del records
        return "enough" if len(losses) * chunk >= steps else None

    fitted = train.fit(
        *(model, recipe, training.first_state(model, recipe, [settings["seed"]]), examples),
        chunk=chunk,
        metrics=[metrics.validation(model, tokens["val"], 1)],
        sinks=[measured],
        stops=[enough],
    )
    if fitted.stopped_at[0] is not None:
        return math.nan
    if recipe.early_stopping:
        return min(losses)
    predictor = train.predictor(model, fitted.state)
    if settings.get("calibrate"):
        predictor = evaluate.calibrate(predictor, tokens["train"])
    return evaluate.loss(predictor, tokens["val"])


def lines(trials: Trials, settings: Mapping[str, Any]) -> str:
    """Return the trials as a table, and the command with the best remedy."""
    rows = [("as it was", "", trials.before, "")]
    rows += [
        (each.symptom, option(each.changes), each.loss, _effect(each.loss - trials.before))
        for each in trials.tried
    ]
    said = [
        f"Remedies, each tried for {trials.steps:,} steps from the start; validation loss in nats "
        "per character",
        str(Table(["finding", "remedy", "loss", "effect"], rows)),
    ]
    for finding in trials.untried:
        why = (
            "it changes the list, so the losses could not be compared"
            if finding.changes
            else "it is no setting"
        )
        said.append(f"Not tried for {finding.symptom}: {finding.remedy} ({why}).")
    helpful = [each for each in trials.tried if each.loss < trials.before - NOISE]
    if math.isnan(trials.before):
        helpful = [each for each in trials.tried if not math.isnan(each.loss)]
    if helpful:
        best = min(helpful, key=lambda each: each.loss)
        said.append(f"Train again:\n  {command_line.train(settings, **best.changes)}")
    return "\n".join(said)


def _effect(change: float) -> str:
    if math.isnan(change):
        return ""
    return "helps" if change < -NOISE else "hurts" if change > NOISE else "no difference"


def _of(kind: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are fields of a dataclass."""
    found = {each.name: settings[each.name] for each in fields(kind) if each.name in settings}
    return {name: tuple(v) if isinstance(v, list) else v for name, v in found.items()}
