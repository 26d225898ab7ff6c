"""Interrupted and resumed runs lose nothing and give the same results."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest
from conftest import ROOT
from programs import CHECKED_SAMPLES, NAMES, command, contents, run, summary
from tampered import rewrite

from mmjax import checkpoint, weights
from mmjax.cli.program import main
from mmjax.commands import train as mlp
from mmjax.commands.train_options import of_recipe
from mmjax.runs import outcome
from mmjax.runs.rotation import Checkpoints
from mmjax.train import loop

TINY = ("--embedding-dim", 3, "--hidden-size", 7, "--hidden-layers", 2)
RECIPES = {
    "lecture": ("--drop-step", 170, "--instruments"),
    "fast": ("--recipe", "fast", "--batch-size", 8, "--no-early-stopping"),
}


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    path = tmp_path_factory.mktemp("list") / "names.txt"
    path.write_text(NAMES)
    return path


def results(folder):
    """Return the results of a run, except the seconds it took."""
    found = {}
    for path, data in contents(folder).items():
        name = str(path.relative_to(folder))
        if path.name == "metrics.jsonl":
            records = [json.loads(line) for line in data.splitlines()]
            found[name] = [{**record, "seconds": None} for record in records]
        elif path.name == "summary.json":
            timed = ("training_seconds", "steps_per_second")
            found[name] = {**json.loads(data), **dict.fromkeys(timed)}
        elif path.parent.name == "checkpoints":
            saved = checkpoint.load(path)
            state = saved.state._replace(key=jax.random.key_data(saved.state.key))
            found[name] = [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(state)]
        elif path.name in ("samples.txt", "model.safetensors", "embedding.safetensors"):
            found[name] = data
    return found


class Killed(BaseException):
    """A kill without warning."""


def killed_at(monkeypatch, chunk):
    """Make training die after `chunk` more chunks."""
    left = itertools.count(chunk, -1)

    def fatal(advance, *args, **kwargs):
        if not next(left):
            raise Killed
        return advance(*args, **kwargs)

    for trainer in (loop, loop.members):  # of one network, and of several
        monkeypatch.setattr(trainer, "advance", partial(fatal, trainer.advance))


@pytest.fixture
def nadamw():
    """Allow a float to the power of an int, which nadamw computes.

    Only the tests forbid it.
    """
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.mark.parametrize(
    ("recipe", "seeds"),
    [
        pytest.param("lecture", 1, marks=pytest.mark.slow),
        pytest.param("fast", 1, marks=pytest.mark.slow),
        pytest.param("lecture", 2, marks=pytest.mark.slow),
        pytest.param("fast", 3, marks=pytest.mark.slow),
    ],
)
def test_interrupted_and_resumed_is_uninterrupted(
    nadamw, monkeypatch, capsys, tmp_path, names, recipe, seeds
):
    """A run that is killed several times ends like an uninterrupted one.

    The first kill comes before the first step.
    """
    options = ("--names", names, "--steps", 320, *TINY, *RECIPES[recipe], "--seeds", seeds)
    assert run(monkeypatch, capsys, "mlp", *options, "--out", tmp_path / "whole")[0] == 0
    resume = ()
    for chunk in (0, 7, 3, 25, 12):
        with monkeypatch.context() as patch:
            killed_at(patch, chunk)
            with pytest.raises(Killed):
                run(patch, capsys, "mlp", *options, "--out", tmp_path / "killed", *resume)
            resume = ("--resume",)
    status, _, err = run(
        monkeypatch, capsys, "mlp", *options, "--out", tmp_path / "killed", *resume
    )
    assert (status, err) == (0, "")
    whole, killed = results(tmp_path / "whole"), results(tmp_path / "killed")
    assert whole.keys() == killed.keys()
    for name, result in whole.items():
        assert killed[name] == result, name
    steps = [record["step"] for record in killed["metrics.jsonl"]]
    assert steps == list(range(6, 321, 6)) + [320] * (320 % 6 > 0)


@pytest.mark.slow
def test_the_last_checkpoints_are_kept_and_the_best(monkeypatch, capsys, tmp_path, names):
    out = tmp_path / "run"
    options = ("--names", names, "--out", out, "--steps", 320, *TINY, "--keep", 2)
    run(monkeypatch, capsys, "mlp", *options)
    steps = [path.name for path in sorted((out / "checkpoints").iterdir())]
    assert steps == [
        "best.safetensors",
        "step-0000000300.safetensors",
        "step-0000000320.safetensors",
    ]
    losses = {
        record["step"]: record["loss_val"]
        for record in map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
        if "loss_val" in record
    }
    best = checkpoint.load(out / "checkpoints/best.safetensors")
    assert int(best.state.step) == min(losses, key=losses.__getitem__)
    assert best.notes["best"]["losses"] == [min(losses.values())]
    assert (
        run(monkeypatch, capsys, "sample", out / "checkpoints/best.safetensors", "--names", names)[
            0
        ]
        == 0
    )


@pytest.mark.slow
def test_a_finished_run_goes_on_to_more_steps(monkeypatch, capsys, tmp_path, names):
    options = ("--names", names, *TINY)
    run(monkeypatch, capsys, "mlp", *options, "--out", tmp_path / "a", "--steps", 100)
    run(monkeypatch, capsys, "mlp", *options, "--out", tmp_path / "a", "--steps", 400, "--resume")
    run(monkeypatch, capsys, "mlp", *options, "--out", tmp_path / "b", "--steps", 400)
    a, b = (weights.load(tmp_path / name / "model.safetensors")[0] for name in "ab")
    jax.tree.map(np.testing.assert_array_equal, a, b)
    metrics = (tmp_path / "a/metrics.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in metrics]
    assert steps == [*range(2, 101, 2), *range(104, 401, 8)]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory, names):
    """Return the folder of a run killed after its checkpoint of step 160."""
    out = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        killed_at(patch, 45)
        patch.setattr("sys.argv", ["mlp", *map(str, arguments(names, out))])
        with pytest.raises(Killed):
            main("python -m experiments.mlp", of_recipe, mlp.program)
    return out


def arguments(names, out, *more):
    return ("--names", names, "--out", out, "--steps", 200, *TINY, "--no-report", *more)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, names):
    """Return the results of the same run, uninterrupted."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["mlp", *map(str, arguments(names, out))])
        patch.setattr(outcome, "CHECKED_SAMPLES", CHECKED_SAMPLES)
        with pytest.raises(SystemExit):
            main("python -m experiments.mlp", of_recipe, mlp.program)
    return results(out)


@pytest.fixture
def copy(stopped, tmp_path):
    return shutil.copytree(stopped, tmp_path / "copy")


DIFFERENT = [
    (("--learning-rate", 0.2), "--learning-rate 0.1, not 0.2"),
    (
        ("--seed", 4, "--batch-size", 16),
        "--batch-size 32, not 16; --seed 0, not 4|--seed 0, not 4; --b",
    ),
    (("--hidden-size", 8), "--hidden-size 7, not 8"),
    (("--split-seed", 1), "--split-seed 42, not 1"),
    (("--watch",), None),
    (("--no-watch",), "--watch True, not False"),
    (("--recipe", "fast"), "--recipe lecture, not fast"),
    (("--steps", 100), "is already at step 160; give --steps 160 or more"),
    (("--overwrite",), "--resume continues a run and --overwrite starts over"),
]


@pytest.mark.parametrize(("options", "message"), [case for case in DIFFERENT if case[1]])
def test_other_options_are_refused_by_name(monkeypatch, capsys, names, copy, options, message):
    before = contents(copy)
    given = arguments(names, copy, "--resume", *options)
    status, out, err = run(monkeypatch, capsys, "mlp", *given)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    pattern = message.split("|")
    assert any(part in err for part in pattern), err
    assert contents(copy) == before


def test_another_list_is_refused_and_the_same_elsewhere_is_not(
    monkeypatch, capsys, tmp_path, names, copy
):
    other = tmp_path / "other.txt"
    other.write_text(NAMES.replace("ann\n", "nan\n", 1))
    status, _, err = run(monkeypatch, capsys, "mlp", *arguments(other, copy, "--resume"))
    assert status == 2
    assert f"was trained on another list, {names} as it was then" in err
    assert f"--init-from {copy}" in err
    other.write_text(NAMES)
    assert run(monkeypatch, capsys, "mlp", *arguments(other, copy, "--resume"))[0] == 0


@pytest.mark.slow
def test_an_unfinished_run_is_not_overwritten_by_mistake(monkeypatch, capsys, names, copy):
    before = contents(copy)
    for program in (("mlp", *TINY), ("bigram",)):
        options = ("--names", names, "--out", copy, "--steps", 200, *program[1:])
        status, _, err = run(monkeypatch, capsys, program[0], *options)
        assert status == 2
        assert (
            "continue it with --resume, start over with --overwrite, or give another --out" in err
        )
        assert contents(copy) == before
    given = arguments(names, copy, "--overwrite")
    assert run(monkeypatch, capsys, "mlp", *given)[0] == 0
    assert run(monkeypatch, capsys, "mlp", *arguments(names, copy))[0] == 0  # it is finished now


def test_nothing_to_go_on_from_is_said_and_nothing_is_made(monkeypatch, capsys, tmp_path, names):
    status, _, err = run(monkeypatch, capsys, "mlp", *arguments(names, tmp_path / "x", "--resume"))
    assert status == 2
    assert "is not a run folder; start without --resume" in err
    assert not (tmp_path / "x").exists()
    (tmp_path / "x").mkdir()
    status, _, err = run(monkeypatch, capsys, "mlp", *arguments(names, tmp_path / "x", "--resume"))
    assert status == 2
    assert "holds no checkpoint to resume from; start without --resume" in err


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip(path):
    data = bytearray(path.read_bytes())
    data[-50] ^= 4
    path.write_bytes(data)


def spoil(path):
    rewrite(path, **{"params.embedding": np.full((18, 3), np.nan, np.float32)})


def version(path):
    rewrite(path, metadata={"format": "mmjax 99"})


@pytest.mark.parametrize(
    "damage",
    [cut, spoil, *(pytest.param(d, marks=pytest.mark.slow) for d in (flip, version, Path.touch))],
)
def test_a_bad_checkpoint_is_named_and_the_one_before_it_taken(
    monkeypatch, capsys, names, copy, whole, damage
):
    """The last two are damaged, and the run resumes from the one before.

    It ends like the uninterrupted run.
    """
    last, before, *_ = Checkpoints(copy, 3).paths()
    if damage is Path.touch:
        last.write_bytes(b"")
        before.write_bytes(b"")
    else:
        damage(last)
        damage(before)
    status, _, err = run(monkeypatch, capsys, "mlp", *arguments(names, copy, "--resume"))
    assert status == 0
    lines = err.splitlines()
    assert len(lines) == 2
    assert all("; this checkpoint is not used" in line for line in lines)
    assert [str(path) in line for path, line in zip((last, before), lines, strict=True)]
    resumed = results(copy)
    assert resumed.keys() == whole.keys()
    for name in whole.keys() - {"summary.json"}:
        assert resumed[name] == whole[name], name


def test_with_no_whole_checkpoint_nothing_is_touched(monkeypatch, capsys, names, copy):
    for path in Checkpoints(copy, 3).paths():
        cut(path)
    before = contents(copy)
    status, _, err = run(monkeypatch, capsys, "mlp", *arguments(names, copy, "--resume"))
    assert status == 2
    assert "no checkpoint can be used; start over with --overwrite" in err.splitlines()[-1]
    assert contents(copy) == before


@pytest.mark.parametrize(
    "notes",
    [{}, {"options": 3}, {"progress": 3}, {"progress": {"step": 160}}, {"progress": {"step": "x"}}],
)
def test_notes_that_lie_are_refused(monkeypatch, capsys, names, copy, notes):
    last = Checkpoints(copy, 3).paths()[0]
    honest = checkpoint.load(last).notes
    rewrite(last, metadata={"notes": json.dumps(honest | notes if notes else {})})
    status, _, err = run(monkeypatch, capsys, "mlp", *arguments(names, copy, "--resume"))
    assert status == 2
    assert len(err.splitlines()) == 1


def test_a_line_of_metrics_that_was_cut_off_is_mended(monkeypatch, capsys, names, copy):
    metrics = copy / "metrics.jsonl"
    whole = metrics.read_text()
    metrics.write_text(whole + '{"step": 181, "los')
    assert run(monkeypatch, capsys, "mlp", *arguments(names, copy, "--resume"))[::2] == (0, "")
    steps = [json.loads(line)["step"] for line in metrics.read_text().splitlines()]
    assert steps == list(range(4, 201, 4))


def test_metrics_that_lack_are_said_and_gone_on_without(monkeypatch, capsys, names, copy):
    (copy / "metrics.jsonl").unlink()
    status, _, err = run(monkeypatch, capsys, "mlp", *arguments(names, copy, "--resume"))
    assert status == 0
    assert "its last line is of step 0, not 160; continuing without the missing lines" in err
    steps = [json.loads(line)["step"] for line in (copy / "metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(164, 201, 4))


def test_ctrl_c_after_the_training_says_how_to_go_on(monkeypatch, capsys, names, copy):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(mlp.outcome, "result_of", interrupted)
        status, _, err = run(patch, capsys, "mlp", *arguments(names, copy, "--resume"))
    assert (status, err) == (
        130,
        "experiments.mlp: interrupted; --resume continues from step 200\n",
    )
    assert run(monkeypatch, capsys, "mlp", *arguments(names, copy, "--resume"))[::2] == (0, "")


@pytest.mark.slow
def test_a_folder_in_use_is_refused(monkeypatch, capsys, tmp_path, names):
    out = tmp_path / "run"
    with mlp.claimed(out):
        for program in ("mlp", "bigram"):
            status, _, err = run(monkeypatch, capsys, program, "--names", names, "--out", out)
            assert status == 2
            assert "another program is writing to it; wait until it ends" in err
        assert not list(out.iterdir())
    assert run(monkeypatch, capsys, "mlp", *arguments(names, out))[0] == 0


@pytest.mark.slow
def test_a_clock_that_jumps_changes_nothing(monkeypatch, capsys, tmp_path, names):
    jumps = itertools.cycle([0.0, 4e9, -4e9, 1.7e9])
    monkeypatch.setattr(time, "time", lambda: next(jumps))
    run(monkeypatch, capsys, "mlp", *arguments(names, tmp_path / "run"))
    records = map(json.loads, (tmp_path / "run/metrics.jsonl").read_text().splitlines())
    seconds = [record["seconds"] for record in records]
    assert seconds == sorted(seconds)
    assert 0 < seconds[0] <= seconds[-1] < 60


@pytest.mark.slow
def test_a_file_that_cannot_be_written_ends_the_run_with_a_line(tmp_path, names):
    """The system refuses files above 12 KiB, and the metrics need more."""
    out = tmp_path / "run"
    options = arguments(names, out, "--steps", 2_000)
    program = [sys.executable, "-m", "experiments.mlp", *map(str, options)]
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 12; exec {' '.join(program)}"],
        cwd=ROOT,
        env=os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "metrics.jsonl: cannot be written: File too large; once that is" in done.stderr
    process = command("experiments.mlp", *options, "--resume")
    assert process.communicate(timeout=100)[1] == ""
    assert process.returncode == 0
    assert summary(out)["steps"] == 2_000


FAULTS = {
    "full": ("mount -t tmpfs -o size=64k none {out}", "No space left on device"),
    "read-only": ("mount -t tmpfs none {out}", "Read-only file system"),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_full_disk_and_a_folder_that_becomes_read_only(tmp_path, names, fault):
    """The run ends with one line, and its checkpoints are whole.

    It runs in a namespace with its own file systems.
    """
    out = tmp_path / "disk"
    out.mkdir()
    mount, reason = FAULTS[fault]
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("this system does not let a test mount a file system of its own")
    options = " ".join(map(str, arguments(names, out / "run", "--steps", 2_000_000)))
    program = f"{sys.executable} -m experiments.mlp {options}"
    script = f"""
        {mount.format(out=out)}
        {program} & run=$!
        if [ {fault} = read-only ]; then
            until [ -e {out}/run/checkpoints/step-0000010000.safetensors ]; do sleep 0.1; done
            mount -o remount,ro {out}
        fi
        wait $run; echo status $?
        ls {out}/run/checkpoints
        cp -r {out}/run/checkpoints {tmp_path}/saved
    """
    done = subprocess.run(
        ["unshare", "-rm", "bash", "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "status 2" in done.stdout
    assert len(done.stderr.splitlines()) == 1
    assert (
        f"cannot be written: {reason}; once that is fixed, --resume continues from" in done.stderr
    )
    saved = sorted((tmp_path / "saved").glob("step-*"))
    assert saved
    for path in saved:
        checkpoint.load(path)


@pytest.mark.parametrize(
    "number", [pytest.param(n, marks=pytest.mark.slow) for n in (signal.SIGINT, signal.SIGTERM)]
)
def test_a_second_signal_leaves_at_once(tmp_path, names, number):
    out = tmp_path / "run"
    process = command("experiments.mlp", *arguments(names, out, "--steps", 200_000_000))
    metrics = out / "metrics.jsonl"
    deadline = time.monotonic() + 60
    while not (metrics.exists() and [*out.glob("checkpoints/step-*")]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    # A chunk of this run takes seconds, so the second signal comes within it.
    assert process.stderr
    assert "finishing" in process.stderr.readline() + process.stderr.readline()
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode in (-number, 128 + number)
    assert Checkpoints(out, 3).load() is not None
