"""The programs that measure: what they measure and which files they write."""

import json

import jax
import numpy as np
import pytest
from conftest import ROOT

from experiments import devices, race, scaling
from experiments.bench import racers, turns
from mmjax import InputError, corpus, train
from mmjax.commands.name_list import NameList


@pytest.fixture(scope="module")
def short_list(tmp_path_factory):
    names = corpus.read_names(ROOT / "data/names.txt")[:300]
    path = tmp_path_factory.mktemp("lists") / "names.txt"
    path.write_text("\n".join(names))
    return path


@pytest.mark.slow
def test_the_race_leaves_a_curve_for_each_way(short_list, tmp_path, capsys):
    options = race.Options(NameList(short_list), tmp_path / "race", goal=3.0, scale=1e-6)
    with jax.numpy_dtype_promotion("standard"):  # nadamw raises a float to the power of its step
        assert race.program(options) == 0
    out = capsys.readouterr().out
    left = json.loads((tmp_path / "race/race.json").read_text())
    points = {name[8:]: found for name, found in left.items() if name.startswith("points: ")}
    assert set(points) >= {"fast recipe", "lecture's recipe"}
    assert ("torch is not installed" in out) == (len(points) == 2)
    for name, found in points.items():
        seconds, steps, losses = np.array(found).T
        assert len(found) == racers.LOOKS
        assert (np.diff(seconds) > 0).all()
        assert steps.tolist() == racers.looks(100)
        assert 2 < losses[-1] < losses[0] < 3.6, name
        reached = (s for s, loss in zip(seconds, losses, strict=True) if loss <= 3.0)
        assert left[f"seconds_to_goal: {name}"] == next(reached, None)
    assert (tmp_path / "race/race.svg").exists()


@pytest.mark.slow
def test_one_device_and_two_are_measured(short_list, monkeypatch, capsys):
    monkeypatch.setattr(turns, "MOST", 10)
    sizes = devices.Options(short_list, batch_sizes=(2, 22), rounds=1)
    assert devices.program(sizes) == 0
    tables = capsys.readouterr().out.strip().split("\n\n")
    assert len(tables) == 2
    for table in tables:
        rows = [line.split() for line in table.splitlines()[2:]]
        assert [row[0] for row in rows] == ["2", "22"]
        for row in rows:
            one, two, floor, *ratios = (float(cell.replace(",", "")) for cell in row[1:])
            found = (one / floor, two / floor, one / two)
            np.testing.assert_allclose(ratios, found, rtol=0.1, atol=0.006)  # all are rounded
    with pytest.raises(InputError, match="must be multiples of --devices 2"):
        devices.Options(short_list, batch_sizes=(3,))


def test_looks_come_after_even_steps_and_at_the_end():
    for steps in (100, 101, 3_000, 200_000):
        found = racers.looks(steps)
        assert racers.LOOKS <= len(found) <= racers.LOOKS + 1
        assert found[-1] == steps
        assert all(look % 2 == 0 for look in found[:-1])
        assert (np.diff(found) > 0).all()


def test_a_shortened_recipe_keeps_its_shape():
    short = racers.shortened(train.Recipe(), 0.01)
    assert short == train.Recipe(steps=2_000, drop_step=1_000)
    assert racers.shortened(train.RECIPES["fast"], 1.0) == train.RECIPES["fast"]


@pytest.mark.slow
def test_costs_of_every_size_are_measured(short_list, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(scaling, "AXES", {"batch_size": (2, 7), "hidden_layers": (1, 2)})
    monkeypatch.setattr(turns, "FEWEST", 2)
    monkeypatch.setattr(turns, "MOST", 4)
    out = tmp_path / "scaling"
    options = scaling.Options(NameList(short_list), out, rounds=1, most_names=10_000, models=(1, 2))
    assert scaling.program(options) == 0
    left = json.loads((out / "scaling.json").read_text())
    assert left["us_by_batch_size"]["sizes"] == [2, 7]
    assert set(left["us_by_models"]) == {"alone", "1", "2"}
    for axis in ("batch_size", "hidden_layers"):
        assert all(us > 0 for us in left[f"us_by_{axis}"]["step"])
        assert all(us > 0 for us in left[f"us_by_{axis}"]["floor"])
    (cost,) = left["lists"]
    assert (cost["names"], cost["bytes_an_example"]) == (10_000, 1)
    assert 50 < cost["peak"] < 1_000
    assert len(left["us_by_lists"]) == 1
    assert left["us_by_lists"][0] > 0
    assert {"steps.svg", "lists.svg"} < {path.name for path in out.iterdir()}
    assert "10,000" in capsys.readouterr().out
