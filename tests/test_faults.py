"""The bench of faults in a short form, and the remedies of findings."""

import json
import math
import re
from itertools import chain

import numpy as np
import pytest
from conftest import ROOT
from programs import command, run

from experiments.faultbench import bench, injections, results
from experiments.faultbench.bench import Outcome
from experiments.faultbench.case import HELD_OUT, TUNING, Case
from experiments.faultbench.faults import FAULTS
from experiments.faultbench.healthy import HEALTHY
from experiments.faultbench.results import Remedy
from mmjax.diagnostics import Finding
from mmjax.diagnostics.cockpit import Gauge


def test_the_halves_of_the_bench_are_large_and_share_no_setting():
    names = [case.name for case in (*FAULTS, *HEALTHY)]
    assert len(names) == len({*names}) == len(bench.CASES)
    for cases, least in ((FAULTS, 30), (HEALTHY, 30)):
        halves = [case.half for case in cases]
        assert len(cases) >= least
        assert {*halves} == {TUNING, HELD_OUT}
        assert abs(halves.count(TUNING) - halves.count(HELD_OUT)) <= 1


def finding(symptom, grade, **changes):
    return Finding(symptom, "", 0.0, 0.0, "", grade=grade, changes=changes)


def test_runs_are_counted_by_their_first_two_alarms():
    case = Case("a", TUNING, ("x", "y"))
    found = [
        [finding("x", "fault")],
        [finding("a", "fault"), finding("y", "warning")],
        [finding("a", "fault"), finding("b", "fault"), finding("x", "warning")],
        [finding("x", "note")],
        [],
    ]
    outcomes = [Outcome(i, each, 2.0, []) for i, each in enumerate(found)]
    assert bench.tally([(case, outcomes)]) == (5, 3, 2)
    assert [each.alarms[:1] for each in outcomes] == [["x"], ["a"], ["a"], [], []]


def test_the_remedy_is_that_of_the_first_alarm_if_it_is_a_setting():
    note, alarm = finding("n", "note", gain=1.0), finding("x", "warning", momentum=0.1)
    of_list = finding("l", "fault", unique=True)
    for findings, remedy in (
        ([alarm, note], {"momentum": 0.1}),
        ([note], {}),
        ([of_list, alarm], {}),
        ([finding("c", "fault"), alarm], {}),
    ):
        assert Outcome(0, findings, 2.0, []).remedy == remedy


def test_a_finite_loss_is_better_than_one_that_is_not():
    tried = Remedy(FAULTS[0], {}, [math.nan, 2.0, 2.0, math.inf], [3.0, math.nan, 1.9, math.nan])
    assert tried.helped == 2


def test_the_farthest_setting_of_an_instrument_is_that_of_its_worst_seed():
    def runs(*figures):
        return [Outcome(i, [], 2.0, [Gauge("g", x, 0.0, 1.0)]) for i, x in enumerate(figures)]

    lucky, sure, healthy = Case("l", TUNING, ("x",)), Case("s", TUNING, ("x",)), Case("h", TUNING)
    missing = [Outcome(0, [], 2.0, [Gauge("g", 99.0, 0.0, 1.0)]), Outcome(1, [], 2.0, [])]
    found = {lucky: runs(9.0, 1.5), sure: runs(2.5, 3.0), healthy: runs(0.5, 1.25)}
    table = results.instruments({**found, Case("m", TUNING, ("x",)): missing})
    assert table.rows == [("g", "s", "2.5 (0 to 1)", "+1.50", "+0.25")]


@pytest.fixture
def parts():
    """Return tokens of 11 training and 5 validation names, all different."""
    rng = np.random.default_rng(0)
    names = [[*rng.integers(1, 9, size=3), i + 9, 0] for i in range(16)]
    flat = [np.array([0, *chain(*some)], np.uint8) for some in (names[:11], names[11:])]
    return dict(zip(("train", "val"), flat, strict=True))


def as_lists(tokens):
    return [name.tolist() for name in injections.names_of(tokens)]


def test_changed_lists_have_the_fault_and_nothing_else(parts):
    train, val = as_lists(parts["train"]), as_lists(parts["val"])
    np.testing.assert_array_equal(
        injections.joined(injections.names_of(parts["val"])), parts["val"]
    )
    leaked = injections.leaked(parts)
    assert as_lists(leaked["val"]) == train[:5]
    in_order = injections.sorted_by(lambda name: name.tolist())(parts)
    assert as_lists(in_order["train"]) + as_lists(in_order["val"]) == sorted(train + val)
    doubled = injections.doubled(parts)
    assert sorted(as_lists(doubled["train"]) + as_lists(doubled["val"])) == sorted(
        2 * (train + val)[:8]
    )
    assert as_lists(injections.first_names(3)(parts)["train"]) == train[:3]
    renumbered = injections.renumbered(parts)["val"]
    np.testing.assert_array_equal(renumbered == 0, parts["val"] == 0)
    assert int(renumbered.max()) <= 24


@pytest.mark.slow
def test_the_short_bench_reaches_what_the_whole_one_does(tmp_path):
    """One seed of every fourth setting, as a user types it."""
    out = tmp_path / "found.json"
    process = command("experiments.faults", "--short", "--seeds", 1, "--out", out)
    output, errors = process.communicate(timeout=600)
    assert (process.returncode, errors) == (0, "")
    found = {row["setting"]: row["alarms"] for row in json.loads(out.read_text())}
    assert len(found) == math.ceil(len(bench.CASES) / 4)
    faulty = [name for name in found if bench.CASES[name].symptoms]
    assert all(found[name] for name in faulty)
    assert not [name for name in found if found[name] and name not in faulty]
    named = [{*found[name][:2]} & {*bench.CASES[name].symptoms} for name in faulty]
    assert sum(map(bool, named)) >= 0.85 * len(named)
    assert re.search(r"held out +healthy +\d+ +\d+ +0.0 %", output)


@pytest.mark.slow
def test_a_remedy_that_helps_is_told_with_its_command(tmp_path, monkeypatch, capsys):
    """A learning rate a thousand times too low."""
    out = tmp_path / "run"
    names = ROOT / "data/names.txt"
    options = ("--names", names, "--steps", 300, "--learning-rate", 0.0001, "--out", out)
    assert run(monkeypatch, capsys, "mlp", *options)[0] == 0
    status, output, _ = run(monkeypatch, capsys, "diagnose", out, "--try", "--try-steps", 200)
    assert status == 0
    trials = output[output.index("Remedies") :]
    row = next(line for line in trials.splitlines() if "slow learning" in line)
    assert re.search(r"slow learning +--learning-rate 0\.\d", row)
    assert row.endswith("helps")
    before = float(re.findall(r"as it was +(\d\.\d+)", trials)[0])
    after = float(re.findall(r"(\d\.\d+) +helps", row)[0])
    assert after < before - 0.3
    # Another test may have named the command mmjax.
    assert re.match(r"  (python -m experiments.mlp --names|mmjax train) ", trials.splitlines()[-1])
    assert run(monkeypatch, capsys, "diagnose", out, "--try", "--try-steps", 1)[0] == 2
