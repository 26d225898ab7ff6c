"""Long runs, many programs at once, and bitwise repetition."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from programs import NAMES, Forks, command, summary

STEPS = int(os.environ.get("MMJAX_SOAK", "400_000"))
CROWD = int(os.environ.get("MMJAX_CROWD", "8"))
TINY = ("--embedding-dim", 3, "--hidden-size", 7, "--hidden-layers", 2, "--no-report")


def resident(process: subprocess.Popen) -> float:
    """Return the resident memory of a process in MiB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    [kib] = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")]
    return int(kib) / 1024


@pytest.mark.slow
def test_a_long_run_takes_no_more_memory_than_its_beginning(tmp_path):
    """Memory grows by less than 2 %, and the metrics stay within their bound.

    The network is small. The run takes half a minute in CI; MMJAX_SOAK sets the number of steps.
    """
    (tmp_path / "names").write_text(NAMES)
    out = tmp_path / "run"
    options = ("--names", tmp_path / "names", "--out", out, "--steps", STEPS, *TINY)
    process = command("experiments.mlp", *options)
    metrics, found = out / "metrics.jsonl", {}
    while process.poll() is None:
        if metrics.exists():
            lines = metrics.read_text().count("\n")
            if 0 < lines < STEPS / 1_000:
                found[lines] = resident(process)
        time.sleep(0.2)
    assert process.communicate()[1] == ""
    assert process.returncode == 0
    lines = metrics.read_text().splitlines()
    assert len(lines) == STEPS / 1_000
    assert metrics.stat().st_size < STEPS
    assert len(list((out / "checkpoints").iterdir())) == 4
    early = [memory for line, memory in found.items() if 0.1 <= line / len(lines) < 0.3]
    late = [memory for line, memory in found.items() if line / len(lines) >= 0.8]
    print(f"\nMiB resident: {max(early):.1f} in the first, {max(late):.1f} in the last part")
    assert max(late) < 1.02 * max(early)


@pytest.mark.slow
def test_programs_beside_each_other_do_not_meet(tmp_path):
    """Programs in different folders all finish; a second one in a folder is refused.

    First eight programs (MMJAX_CROWD) run at once, each in its own folder, with one compilation
    cache. Then one program runs, and others that use its folder are refused.
    """
    (tmp_path / "names").write_text(NAMES)
    options = ("--names", tmp_path / "names", "--steps", 200, *TINY)
    crowd = [command("experiments.mlp", *options, "--out", tmp_path / f"{i}") for i in range(CROWD)]
    for process in crowd:
        assert process.communicate(timeout=300)[1] == ""
        assert process.returncode == 0
    models = {(tmp_path / f"{i}/model.safetensors").read_bytes() for i in range(CROWD)}
    assert len(models) == 1
    assert all(summary(tmp_path / f"{i}")["steps"] == 200 for i in range(CROWD))
    long = (*options, "--steps", 2_000_000, "--out", tmp_path / "one")
    with Forks(tmp_path) as forks:
        first = command("experiments.mlp", *long)
        while not (tmp_path / "one/metrics.jsonl").exists():
            time.sleep(0.05)
        for more in ((), ("--resume",), ("--overwrite",)):
            status, said = forks.run((*long, *more))
            assert status == 2
            assert "another program is writing to it; wait until it ends" in said
        first.terminate()
        output, _ = first.communicate(timeout=60)
    assert first.returncode == 143
    steps = summary(tmp_path / "one")["steps"]
    last = (tmp_path / "one/metrics.jsonl").read_text().splitlines()[-1]
    assert json.loads(last)["step"] == steps
    assert f"{steps:,} of 2,000,000 steps" in output


@pytest.mark.slow
def test_on_one_thread_the_same_settings_are_the_same_run_to_the_bit(tmp_path):
    (tmp_path / "names").write_text(NAMES)
    results = []
    for name in ("a", "b"):
        options = ("--names", tmp_path / "names", "--out", tmp_path / name, "--steps", 500)
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(before)})  # the new process inherits it
        try:
            process = command("experiments.mlp", *options, "--no-report")
        finally:
            os.sched_setaffinity(0, before)
        assert process.communicate(timeout=200)[1] == ""
        assert process.returncode == 0
        lines = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        metrics = [{**json.loads(line), "seconds": None} for line in lines]
        weights = (tmp_path / name / "model.safetensors").read_bytes()
        results.append((weights, metrics, (tmp_path / name / "samples.txt").read_text()))
        said = summary(tmp_path / name)
        assert {"python", "jax", "jaxlib", "numpy", "optax", "platform", "device", "cpus"} <= set(
            said
        )
    assert results[0] == results[1]
