"""The cockpit: gauges of the evidence, kept in a run folder, drawn for one run or several."""

import json
import math
from typing import Any

import jax
import numpy as np
import pytest
from conftest import ROOT
from programs import run

from mmjax import InputError, diagnostics, mlp, plots, train
from mmjax.diagnostics import Activation, Evidence, Gradient
from mmjax.diagnostics.cockpit import Gauge, cockpit, loaded, saved
from mmjax.runs.reading import read_instruments


def test_a_gauge_outside_its_band_is_that_of_a_finding():
    """Each figure on both sides of its limit: a gauge is outside exactly if there is a finding."""
    row = Activation(1, "a.tanh", 0.0, 0.7, 0.0, 0.0, 0, units=100)
    last = Gradient(4, "b.tanh", 0.0, 1.0)
    rows: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"initial_loss": math.log(27) + 0.4}, {"initial_loss": math.log(27) + 0.6}),
        ({"update_ratios": {"a": -2.0}}, {"update_ratios": {"a": -1.9}}),
        ({"update_ratios": {"a": -4.4}}, {"update_ratios": {"a": -4.6}}),
        ({"loss_train": 2.0, "loss_val": 2.1}, {"loss_train": 2.0, "loss_val": 2.2}),
        ({"final_loss": 2.2, "loss_train": 2.0}, {"final_loss": 2.3, "loss_train": 2.0}),
        (
            {"gradients": [last._replace(std=9.0), last]},
            {"gradients": [last._replace(std=11.0), last]},
        ),
        ({"activations": [row]}, {"activations": [row._replace(dead=11)]}),
        ({"activations": [row]}, {"activations": [row._replace(saturation=70.0)]}),
        (
            {"activations": [row], "ranks": {"a.tanh": 1.6}},
            {"activations": [row], "ranks": {"a.tanh": 1.4}},
        ),
    ]
    for inside, outside in rows:
        for figures, is_outside in ((inside, False), (outside, True)):
            evidence = Evidence(model=mlp.MLP(), **figures)
            gauges, findings = cockpit(evidence), diagnostics.health(evidence)
            assert gauges
            assert any(gauge.outside > 0 for gauge in gauges) == is_outside
            assert bool(findings) == is_outside


def test_the_sharpness_is_outside_beyond_the_edge_of_stability_of_sgd():
    readings = [{"lr": 0.1, "sharpness": value, "step_reach": -0.9} for value in (5.0, 21.0, 22.0)]
    for optimizer, names in (
        ("sgd", ["sharpness : 2 / learning rate", "reach of a step"]),
        ("adamw", ["reach of a step"]),
    ):
        evidence = Evidence(recipe=train.Recipe(optimizer=optimizer), readings=readings)
        gauges = {gauge.name: gauge for gauge in cockpit(evidence)}
        assert [*gauges] == names
        assert gauges["reach of a step"].outside < 0
    sharp = cockpit(Evidence(recipe=train.Recipe(), readings=readings))[0]
    assert sharp.value == pytest.approx(1.05)
    assert sharp.outside > 0


@pytest.mark.slow
def test_diagnose_reads_the_costly_instruments_when_asked(monkeypatch, capsys, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("\n".join(["ann", "bob", "cy", "dee", "eve", "fay", "gus", "hal"] * 5))
    options = ("--names", names, "--steps", 20, "--no-report", "--hidden-size", 7)
    for kind, known in (("lecture", True), ("fast", False)):
        out = tmp_path / kind
        with jax.numpy_dtype_promotion("standard"):  # nadamw raises a float to the power of an int
            run(monkeypatch, capsys, "mlp", *options, "--out", out, "--recipe", kind)
            plain = run(monkeypatch, capsys, "diagnose", out)[1]
            asked = run(monkeypatch, capsys, "diagnose", out, "--instruments")[1]
        assert "reach of a step" not in plain
        # The state of another optimizer is not in the run folder, so its next step is unknown.
        assert ("sharpness : 2 / learning rate" in asked) == known
        assert ("reach of a step" in asked) == known


def test_the_farthest_gauge_comes_first_and_one_without_a_number_before_it():
    evidence = Evidence(
        model=mlp.MLP(),
        initial_loss=4.4,
        update_ratios={"a": -9.0},
        loss_train=math.nan,
        loss_val=2.0,
    )
    gauges = cockpit(evidence)
    assert [gauge.outside for gauge in gauges] == sorted(
        (gauge.outside for gauge in gauges), reverse=True
    )
    assert [gauge.name for gauge in gauges] == [
        "validation minus training",
        "log10 update : weights",
        "first loss above guessing",
    ]


def test_gauges_are_read_as_they_were_written(tmp_path):
    gauges = [Gauge("a", 2.5, 0.0, 1.0), Gauge("b", 0.25, 0.0, 1.0)]
    assert loaded(saved(gauges)) == gauges
    assert saved([Gauge("c", math.nan, 0.0, 1.0)]) == {"c": [None, 0.0, 1.0]}
    path = tmp_path / "instruments.json"
    assert read_instruments(tmp_path) == []
    path.write_text(json.dumps(saved(gauges)))
    assert read_instruments(tmp_path) == gauges
    for wrong in ('{"a": [1, 2]}', '{"a": [1, 2, 2]}', '{"a": ["x", 0, 1]}', '{"a": 3}', "[]"):
        path.write_text(wrong)
        with pytest.raises(InputError, match=r"instruments\.json: is not a file of a run"):
            read_instruments(tmp_path)


def test_markers_lie_by_their_bands_and_at_the_edge_beyond():
    gauges = [
        Gauge("low", 1.0, 1.0, 3.0),
        Gauge("high", 3.0, 1.0, 3.0),
        Gauge("far", 99.0, 1.0, 3.0),
    ]
    figure = plots.cockpit({"one": gauges, "two": [Gauge("nan", math.nan, 0.0, 1.0)]})
    one, two = (np.asarray(each.get_offsets()) for each in figure.axes[0].collections)
    places = {
        text.get_text(): round(text.get_position()[1] + 0.34) for text in figure.axes[0].texts
    }
    assert sorted(places, key=places.__getitem__)[:2] == ["nan", "far"]
    drawn = {name: x for name, place in places.items() for x, y in one.tolist() if y == place}
    assert drawn == {"low": 0.0, "high": 1.0, "far": 2.0}
    assert len(two) == 0


def test_any_number_of_runs_is_drawn():
    runs = {f"run {i}": [Gauge("a", i / 10, 0.0, 1.0)] for i in range(11)}
    figure = plots.cockpit(runs)
    assert [each.get_label() for each in figure.axes[0].collections] == list(runs)


@pytest.mark.slow
def test_compare_draws_the_instruments_of_two_runs(tmp_path, monkeypatch, capsys):
    names = ROOT / "data/names.txt"
    runs = [tmp_path / "a", tmp_path / "b"]
    for out, rate in zip(runs, (0.1, 0.0001), strict=True):
        options = ("--names", names, "--steps", 200, "--learning-rate", rate, "--out", out)
        assert run(monkeypatch, capsys, "mlp", *options)[0] == 0
    slow = {gauge.name: gauge for gauge in read_instruments(runs[1])}
    assert slow["log10 update : weights"].outside > 0
    status, output, _ = run(monkeypatch, capsys, "compare", *runs, "--out", tmp_path / "c.svg")
    assert status == 0
    assert output.splitlines()[-1] == str(tmp_path / "c-instruments.svg")
    drawn = (tmp_path / "c-instruments.svg").read_text()
    assert all(name in drawn for name in ("log10 update : weights", ">a<", ">b<"))
