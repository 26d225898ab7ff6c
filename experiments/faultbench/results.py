"""Results of the bench, as lines and tables."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments.faultbench import bench
from experiments.faultbench.bench import Outcome
from experiments.faultbench.case import HELD_OUT, TUNING, Case
from experiments.faultbench.faults import FAULTS
from experiments.faultbench.healthy import HEALTHY
from mmjax.commands.remedies import NOISE
from mmjax.diagnostics.cockpit import Gauge
from mmjax.diagnostics.finding import option
from mmjax.io.text import Table

Found = Mapping[Case, Sequence[Outcome]]


class Remedy(NamedTuple):
    """A remedy of a faulty setting, and the validation losses without and with it, by seed."""

    case: Case
    changes: Mapping[str, Any]
    before: Sequence[float]
    after: Sequence[float]

    @property
    def helped(self) -> int:
        """Number of seeds with a lower loss; a non-finite one is the highest."""
        pairs = zip(map(_finite, self.before), map(_finite, self.after), strict=True)
        return sum(after < before - NOISE for before, after in pairs)


def line(case: Case, outcomes: Sequence[Outcome], seconds: float) -> str:
    """Return a setting as a line: how often it was detected and named, and its first symptoms."""
    counted = bench.tally([(case, outcomes)])
    first = Counter(" + ".join(each.alarms[:2]) or "nothing" for each in outcomes)
    said = ", ".join(f"{count} {symptoms}" for symptoms, count in first.most_common(3))
    loss = sum(each.loss_val for each in outcomes) / len(outcomes)
    figures = f"{counted.detected:3}/{counted.runs} {counted.named:3}"
    return f"{case.half:9}{case.name:38}{figures}  loss {loss:6.3f}  {seconds:4.1f} s  {said}"


def summary(found: Found) -> Table:
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


def remedy_of(outcomes: Sequence[Outcome]) -> Mapping[str, Any]:
    """Return the remedy that most seeds have first; empty if none is a setting."""
    counted = Counter(option(each.remedy) for each in outcomes)
    most = counted.most_common(1)[0][0]
    return next(each.remedy for each in outcomes if option(each.remedy) == most)


def remedies(tried: Sequence[Remedy]) -> Table:
    """Return the table of remedies, with their mean losses."""
    rows = [
        (
            *(each.case.half, each.case.name, option(each.changes)),
            *(f"{_mean(each.before):.3f}", f"{_mean(each.after):.3f}"),
            f"{each.helped}/{len(each.after)}",
        )
        for each in tried
    ]
    for half in (TUNING, HELD_OUT):
        chosen = [each for each in tried if each.case.half == half]
        if chosen:
            share = sum(each.helped for each in chosen) / sum(len(each.after) for each in chosen)
            rows.append((half, "all of these", "", "", "", f"{100 * share:.1f} %"))
    return Table(["half", "setting", "remedy", "loss", "with it", "helped"], rows)


def instruments(found: Found) -> Table:
    """Return for each instrument the setting in which it is farthest outside its healthy band.

    Farthest is by the seed in which it is least far. A setting with a non-finite figure of any
    instrument does not count. The last column is the farthest of all healthy runs.
    """
    farthest: dict[str, tuple[float, str, str]] = {}
    healthy: dict[str, float] = {}
    for case, outcomes in found.items():
        figures = [gauge.value for outcome in outcomes for gauge in outcome.gauges]
        if not all(map(math.isfinite, figures)):
            continue
        for name, gauges in _by_name(outcomes).items():
            least = min(gauges, key=lambda gauge: gauge.outside)
            if not case.symptoms:
                highest = max(gauge.outside for gauge in gauges)
                healthy[name] = max(healthy.get(name, -math.inf), highest)
            elif least.outside > farthest.get(name, (-math.inf, "", ""))[0]:
                figure = f"{least.value:.3g} ({least.low:.3g} to {least.high:.3g})"
                farthest[name] = least.outside, case.name, figure
    rows = [
        (name, setting, figure, f"{outside:+.2f}", f"{healthy.get(name, math.nan):+.2f}")
        for name, (outside, setting, figure) in sorted(farthest.items(), key=lambda x: -x[1][0])
    ]
    titles = ["instrument", "farthest in", "figure (band)", "outside by", "healthy settings"]
    return Table(titles, rows)


def _by_name(outcomes: Sequence[Outcome]) -> dict[str, list[Gauge]]:
    """Return the gauges by their names; only those that every seed has."""
    gauges: dict[str, list[Gauge]] = {}
    for outcome in outcomes:
        for gauge in outcome.gauges:
            gauges.setdefault(gauge.name, []).append(gauge)
    return {name: each for name, each in gauges.items() if len(each) == len(outcomes)}


def write(path: Path, found: Found) -> None:
    """Write the findings of every run as JSON."""
    rows = [
        {"setting": case.name, "half": case.half, "seed": each.seed, "alarms": each.alarms}
        for case, outcomes in found.items()
        for each in outcomes
    ]
    path.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def _finite(loss: float) -> float:
    return loss if math.isfinite(loss) else math.inf


def _mean(losses: Sequence[float]) -> float:
    return sum(losses) / len(losses)
