"""Several processes train one network together, over loopback, as on several machines."""

import json
import random
import signal
import time

import numpy as np
import pytest
from programs import NAMES, command, summary

from experiments import processes
from experiments.bench import costs
from experiments.processes import free_address

SIZE = ("--embedding-dim", 3, "--hidden-size", 7, "--hidden-layers", 2, "--batch-size", 30)
PLAIN = (*SIZE, "--no-report", "--no-watch")
STEPS = 4_000


def start(count, *options):
    """Start so many processes that train together."""
    address = free_address()
    together = [
        ("--coordinator", address, "--processes", count, "--process", i) for i in range(count)
    ]
    return [command("experiments.mlp", *options, *PLAIN, *each) for each in together]


def ended(processes, timeout=120):
    """Return (status, output, errors) of each process."""
    said = [process.communicate(timeout=timeout) for process in processes]
    return [(p.returncode, *texts) for p, texts in zip(processes, said, strict=True)]


def losses(folder):
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return {line["step"]: line["loss_batch"] for line in lines}


@pytest.fixture
def names(tmp_path):
    (tmp_path / "names").write_text(NAMES)
    return ("--names", tmp_path / "names")


@pytest.fixture
def whole(tmp_path, names):
    """Return the losses of one process."""
    alone = command(
        "experiments.mlp", *names, "--steps", STEPS, *PLAIN, "--out", tmp_path / "whole"
    )
    assert ended([alone])[0][0] == 0
    return losses(tmp_path / "whole")


@pytest.mark.slow
def test_after_kills_at_random_moments_a_run_ends_as_in_one_process(tmp_path, names, whole):
    """The number of processes changes from start to start, and any of them is killed.

    The others end within 10 seconds, with one line that names it; the files are those of process 0.
    """
    draw, out = random.Random(0), tmp_path / "together"
    options = (*names, "--steps", STEPS, "--out", out)
    killed = []
    for count, victim in ((2, 1), (3, 0), (3, 2)):
        processes = start(count, *options, *(("--resume",) if killed else ()))
        before = [*out.rglob("step-*")]
        while [*out.rglob("step-*")] == before and processes[0].poll() is None:
            time.sleep(0.05)
        time.sleep(draw.uniform(0, 1))
        processes[victim].send_signal(signal.SIGKILL)
        at = time.perf_counter()
        results = ended(processes)
        assert time.perf_counter() - at < 10
        if results[victim][0] != -signal.SIGKILL:  # the run had ended
            continue
        killed.append(victim)
        for i, (status, printed, errors) in enumerate(results):
            if i != victim:
                assert status != 0
                assert printed == "" or i == 0
                (line,) = errors.splitlines()
                assert f"process {victim} has ended" in line
                assert line.startswith("experiments.mlp: ")
    assert len(killed) >= 2
    results = ended(start(2, *options, "--resume"))
    assert [status for status, _, _ in results] == [0, 0], results
    assert results[1][1:] == ("", "")
    assert "[Gloo]" not in results[0][1]
    assert losses(out) == pytest.approx(whole, rel=1e-6)


@pytest.mark.slow
def test_a_stop_of_one_process_stops_all_and_the_run_resumes(tmp_path, names, whole):
    """As a scheduler stops a job: with SIGTERM, which need not reach every process."""
    out = tmp_path / "together"
    options = (*names, "--out", out, "--steps", STEPS)
    processes = start(2, *options)
    while not [*out.rglob("step-*")]:
        time.sleep(0.05)
    processes[1].send_signal(signal.SIGTERM)
    (first, printed, errors), (second, *silent) = ended(processes)
    assert (first, second, silent[0]) == (143, 143, "")
    assert "the same command with --resume continues there" in errors
    assert "Continue from there" in printed
    assert 0 < summary(out)["steps"] < STEPS
    results = ended(start(2, *options, "--resume"))
    assert [status for status, _, _ in results] == [0, 0], results
    assert losses(out) == pytest.approx(whole, rel=1e-5)


@pytest.mark.slow
def test_ctrl_c_ends_a_process_that_waits_for_the_others(tmp_path, names):
    waiting, _ = pair = start(2, *names, "--out", tmp_path / "out")
    pair[1].send_signal(signal.SIGKILL)
    time.sleep(12)
    at = time.perf_counter()
    waiting.send_signal(signal.SIGINT)
    [(status, printed, errors), _] = ended(pair)
    assert time.perf_counter() - at < 5
    assert (status, printed, errors) == (-signal.SIGINT, "", "")


@pytest.mark.slow
def test_processes_with_other_lists_or_options_are_refused(tmp_path, names):
    address = free_address()
    options = ("--steps", 100, "--out", tmp_path / "out", *PLAIN, "--coordinator", address)
    (tmp_path / "other").write_text(f"{NAMES}bea\n")
    lists = (names, ("--names", tmp_path / "other"))
    both = [
        command("experiments.mlp", *options, *each, "--processes", 2, "--process", i)
        for i, each in enumerate(lists)
    ]
    (_, _, first), (status, _, second) = ended(both)
    assert status == 2
    assert "process 1 has another list, or other options of training, than process 0" in second
    assert len(second.splitlines()) == 1
    assert "process 1 has ended" in first


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--processes", 2), "--processes 2 need --coordinator"),
        (
            ("--coordinator", "here", "--processes", 2),
            "must be host:port, such as localhost:9876, or auto",
        ),
        (("--coordinator", "a:1"), "needs --processes"),
        (("--coordinator", "a:1", "--processes", 2, "--seeds", 2), "give it without --seeds"),
        (("--coordinator", "a:1", "--processes", 2, "--process", 2), "number from 0 to 1, not 2"),
        (("--coordinator", "a:1", "--processes", 2, "--devices", 3), "multiple of --processes 2"),
        (("--coordinator", "a:1", "--processes", 7), "multiple of --processes 7, not 30"),
        (("--coordinator", "auto", "--processes", 2), "leave out --processes"),
        (("--coordinator", "auto", "--devices", 2), "leave out --devices"),
    ],
)
def test_options_that_do_not_fit_are_refused(monkeypatch, capsys, options, said):
    from programs import run

    status, _, errors = run(monkeypatch, capsys, "mlp", *SIZE, *options)
    assert status == 2
    assert said in errors


def test_the_cost_of_processes_is_fitted():
    """From times that follow the model, its three numbers are found again."""
    cost = costs.Cost(53.0, 3.1, 710.0)
    times = {count: {size: cost.step(size, count) for size in (2, 32, 1_024)} for count in (1, 2)}
    np.testing.assert_allclose(costs.fitted(times), cost, rtol=1e-6)
    end = cost.break_even
    assert cost.step(end, 1) == pytest.approx(cost.step(end, 2))
    assert cost.step(2 * end, 1) > cost.step(2 * end, 2)


@pytest.mark.slow
def test_the_program_measures_one_process_and_two(tmp_path):
    (measured,) = ended(
        [command("experiments.processes", "--batch-sizes", 256, 1_024, "--out", tmp_path)],
        timeout=300,
    )
    assert measured[0] == 0, measured
    found = json.loads((tmp_path / "processes.json").read_text())
    for name in processes.NETWORKS:
        assert found[name]["us"]["1"]["256"] < found[name]["us"]["2"]["256"]
        assert found[name]["messages"] > 0
    assert (tmp_path / "processes.svg").exists()
