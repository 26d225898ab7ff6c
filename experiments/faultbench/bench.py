"""The bench: each setting is trained with several seeds and judged by its findings."""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, NamedTuple

from experiments.faultbench.case import Case
from experiments.faultbench.faults import FAULTS
from experiments.faultbench.healthy import HEALTHY
from experiments.faultbench.training import counted, examined, plan, trained
from mmjax import diagnostics, mlp
from mmjax.diagnostics import Finding
from mmjax.diagnostics.cockpit import Gauge, cockpit
from mmjax.runs import lists

SPLIT = frozenset(lists.SPLITTING)


class Outcome(NamedTuple):
    """One run of a setting."""

    seed: int
    findings: list[Finding]
    loss_val: float
    gauges: list[Gauge]

    @property
    def remedy(self) -> Mapping[str, Any]:
        """The options of the first alarm; empty if it has none, or they change the list."""
        first = next((each.changes for each in self.findings if each.grade != "note"), {})
        return {} if {*first} & SPLIT else first

    @property
    def alarms(self) -> list[str]:
        """The symptoms of the findings that are no notes, the first ones first."""
        return [each.symptom for each in self.findings if each.grade != "note"]


CASES = {case.name: case for case in (*FAULTS, *HEALTHY)}


def outcomes(name: str, seeds: int, shipped: str) -> tuple[list[Outcome], float]:
    """Return the outcomes of a setting, and the seconds that it took; a worker's task."""
    started = time.perf_counter()
    found = run(CASES[name], range(seeds), shipped)
    return found, time.perf_counter() - started


def remedied(name: str, changes: Mapping[str, Any], seeds: int, shipped: str) -> list[float]:
    """Return the validation losses of a setting with other options, but with its fault."""
    case, sizes = CASES[name], {each.name for each in fields(mlp.MLP)}
    model = {option: value for option, value in changes.items() if option in sizes}
    recipe = {option: value for option, value in changes.items() if option not in sizes}
    changed = replace(case, model={**case.model, **model}, recipe={**case.recipe, **recipe})
    return [each.loss_val for each in run(changed, range(seeds), shipped)]


def run(case: Case, seeds: Sequence[int], shipped: str) -> list[Outcome]:
    """Train a setting with every seed and return what is found."""
    ready, found = plan(case, shipped), []
    smoothed = counted(ready)
    for one in trained(ready, seeds):
        evidence = examined(one, smoothed)
        loss = min(evidence.loss_val or math.nan, one.best)
        found.append(Outcome(one.seed, diagnostics.health(evidence), loss, cockpit(evidence)))
    return found


class Tally(NamedTuple):
    """Findings of several runs of faults, or of healthy settings, counted."""

    runs: int
    detected: int
    named: int
    """Runs with the cause among the first two findings."""

    @property
    def shares(self) -> tuple[float, float]:
        """Return the shares of detected and of named runs."""
        total = self.runs or math.nan
        return self.detected / total, self.named / total


def tally(found: Iterable[tuple[Case, Sequence[Outcome]]]) -> Tally:
    """Count detected runs and named causes; for healthy runs, `detected` are the false alarms."""
    runs = detected = named = 0
    for case, outcomes in found:
        for each in outcomes:
            runs += 1
            detected += bool(each.alarms)
            named += any(symptom in case.symptoms for symptom in each.alarms[:2])
    return Tally(runs, detected, named)
