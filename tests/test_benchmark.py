"""The benchmark's baselines compute what this library computes.

The benchmark detects a difference.
"""

import json

import numpy as np
import pytest
from conftest import ROOT

from experiments import benchmark
from experiments.bench import baselines
from mmjax import plots
from mmjax.commands.name_list import NameList


@pytest.fixture(scope="module")
def start(shipped_names):
    return benchmark.prepared(shipped_names)


def test_this_library_computes_what_numpy_does(start):
    assert benchmark.ours(*start)["check"]() < benchmark.TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("make", [baselines.lecture, baselines.compiled])
def test_pytorch_computes_what_numpy_does(start, make, monkeypatch):
    torch = pytest.importorskip("torch", reason="needs the extra 'parity'")
    monkeypatch.setattr(torch, "compile", lambda function: function)  # compiling takes 30 s
    _, problem = start
    baseline = make(problem)
    losses = [baseline.step(index) for index in benchmark.checked_batches(problem)]
    assert benchmark.differs(problem, np.array(losses), baseline.parameters()) < benchmark.TOLERANCE
    assert len(baseline.draw(13)) == 13


def test_a_difference_is_seen(start):
    _, problem = start
    baseline = baselines.by_hand(problem)
    losses = np.array([baseline.step(index) for index in benchmark.checked_batches(problem)])
    assert benchmark.differs(problem, losses, baseline.parameters()) == 0
    other = baseline.parameters()
    other[3][0, 0] += 0.01
    assert benchmark.differs(problem, losses, other) == pytest.approx(0.01, rel=1e-3)
    assert benchmark.differs(problem, losses + 0.01, other) > benchmark.TOLERANCE


def test_the_first_loss_of_the_baseline_falls(start):
    _, problem = start
    baseline = baselines.by_hand(problem)
    losses = [baseline.step(baseline.draw(32)) for _ in range(300)]
    assert abs(losses[0] - np.log(27)) < 0.1
    assert np.mean(losses[-50:]) < 2.7


def test_ratios_are_medians_over_rounds():
    ours, lecture, floor = (benchmark.Way(name, 1) for name in ("mmjax", "lecture", "floor"))
    times = {ours: [10.0, 20.0, 30.0], lecture: [100.0, 100.0, 600.0], floor: [5.0, 5.0, 10.0]}
    assert benchmark.ratio(times, ours, lecture) == 10
    assert benchmark.ratio(times, ours, floor) == 3
    picture = plots.step_times({str(way): np.array(us) for way, us in times.items()})
    assert [bar.get_width() for bar in picture.axes[0].patches] == [20, 100, 5]  # pyright: ignore


@pytest.mark.slow
def test_the_benchmark_leaves_its_figures(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("XLA_FLAGS")  # what is timed is compiled as for users
    assert (
        benchmark.program(benchmark.Options(NameList(ROOT / "data/names.txt"), tmp_path, rounds=1))
        == 0
    )
    figures = json.loads((tmp_path / "benchmark.json").read_text())
    assert figures["step_us"] > 0
    assert figures["numpy_ratio"] > 1
    assert figures["blas_floor_ratio"] > 0.5
    assert (tmp_path / "benchmark.svg").exists()
    assert "NumPy, backward pass by hand" in capsys.readouterr().out
