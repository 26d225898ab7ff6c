"""Programs on a system where something is missing or refused.

A program runs with less, or says in one line why it cannot.
"""

import errno
import io
import os
import signal
import stat
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import pytest
from programs import NAMES, command, contents, run, summary

from experiments import bigram
from experiments.bench import memory
from mmjax import InputError
from mmjax.cli.compiled import keep_compiled
from mmjax.cli.devices import cores
from mmjax.cli.interruption import interruptible
from mmjax.cli.options import parse
from mmjax.cli.program import main
from mmjax.commands import sample
from mmjax.commands import train as mlp
from mmjax.commands.train_options import of_recipe
from mmjax.io import files
from mmjax.runs.folder import claimed

TINY = ("--embedding-dim", 2, "--hidden-size", 3, "--hidden-layers", 1, "--steps", 5)
STARTED = "Unable to initialize backend 'tpu': INTERNAL: no libtpu.so"


@pytest.fixture
def options(tmp_path):
    (tmp_path / "names").write_text(NAMES)
    return ("--names", tmp_path / "names", "--out", tmp_path / "run", *TINY)


def refuse(monkeypatch, name, number):
    """Make a call of `os` fail on folders."""
    call = getattr(os, name)

    def refusing(what, *rest):
        if stat.S_ISDIR(os.stat(what).st_mode):
            raise OSError(number, os.strerror(number))
        return call(what, *rest)

    monkeypatch.setattr(os, name, refusing)


# Systems


@pytest.mark.parametrize("fault", ["none", "refused"])
def test_cores_are_counted_where_the_system_does_not_say_which_are_ours(monkeypatch, fault):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    if fault == "refused":
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: os.stat("/none"), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert cores() == 5
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores() == 1


@pytest.mark.slow
def test_several_seeds_are_trained_on_macos(monkeypatch, capsys, tmp_path, options):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    status, _, err = run(monkeypatch, capsys, "mlp", *options, "--seeds", 2)
    assert (status, err) == (0, "")
    assert summary(tmp_path / "run/seed-1")["steps"] == 5


@pytest.mark.parametrize(
    ("name", "number"),
    [
        *(("open", number) for number in (errno.EACCES, errno.EPERM, errno.EISDIR)),
        *(("fsync", number) for number in (errno.EINVAL, errno.ENOTSUP, errno.EBADF)),
    ],
)
def test_a_system_that_opens_or_syncs_no_folder_keeps_what_is_written(
    monkeypatch, tmp_path, name, number
):
    refuse(monkeypatch, name, number)
    with claimed(tmp_path / "run"):
        files.write(tmp_path / "run/file", "new")
    assert contents(tmp_path) == {tmp_path / "run/file": b"new"}


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_a_disk_that_fails_is_no_such_system(monkeypatch, tmp_path, number):
    refuse(monkeypatch, "fsync", number)
    with pytest.raises(InputError, match=f"file: cannot be written: {os.strerror(number)}"):
        files.write(tmp_path / "file", "new")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "number"), [("open", errno.EACCES), ("fsync", errno.EINVAL)])
def test_a_network_is_trained_there(monkeypatch, capsys, tmp_path, options, name, number):
    refuse(monkeypatch, name, number)
    status, _, err = run(monkeypatch, capsys, "mlp", *options)
    assert (status, err) == (0, "")
    assert summary(tmp_path / "run")["steps"] == 5
    assert [*(tmp_path / "run/checkpoints").iterdir()]


def test_an_error_within_the_block_is_itself_where_there_is_no_lock(monkeypatch, tmp_path):
    refuse(monkeypatch, "open", errno.EACCES)
    with pytest.raises(PermissionError, match="mine") as caught, claimed(tmp_path / "run"):
        raise PermissionError("mine")
    assert caught.value.__context__ is None


def test_without_a_home_nothing_is_kept(monkeypatch):
    def homeless(*_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    before = jax.config.values["jax_compilation_cache_dir"]
    try:
        jax.config.update("jax_compilation_cache_dir", None)
        keep_compiled()
        assert jax.config.values["jax_compilation_cache_dir"] is None
    finally:
        jax.config.update("jax_compilation_cache_dir", before)


def test_memory_that_windows_does_not_tell(monkeypatch, tmp_path):
    peak = memory.peak_memory()
    assert peak is not None
    assert peak > 1
    monkeypatch.setattr(memory, "Path", lambda _: tmp_path / "none")
    monkeypatch.setitem(sys.modules, "resource", None)
    assert memory.peak_memory() is None


# Notebooks and threads


@pytest.mark.slow
def test_streams_of_a_notebook_are_left_as_they_are(monkeypatch, capsys, tmp_path, options):
    assert run(monkeypatch, capsys, "mlp", *options)[0] == 0
    streams = io.StringIO(), io.StringIO()
    assert not hasattr(streams[0], "reconfigure")
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    monkeypatch.setattr(sys, "argv", ["sample", str(tmp_path / "run"), "-n", "7"])
    with pytest.raises(SystemExit) as end:
        main("python -m experiments.sample", sample.Options, sample.program)
    assert end.value.code == 0
    assert len(streams[0].getvalue().splitlines()) == 7
    assert streams[1].getvalue() == ""


@pytest.mark.slow
def test_a_network_is_trained_in_any_thread(tmp_path, options):
    arguments = [*map(str, options)]
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    parsed = parse("python -m experiments.mlp", of_recipe(arguments), arguments)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(mlp.program, parsed).result(timeout=100) == 0
    assert (tmp_path / "run/report.html").exists()
    assert before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))


def test_signals_are_caught_in_the_main_thread_and_in_no_other():
    def caught():
        before = signal.getsignal(signal.SIGTERM)
        with interruptible() as interruption:
            assert not interruption
            return signal.getsignal(signal.SIGTERM) != before

    assert threading.current_thread() is threading.main_thread()
    assert caught()
    with ThreadPoolExecutor(1) as pool:
        assert not pool.submit(caught).result(timeout=10)


# Devices


def main_with(monkeypatch, error):
    """Return the exit status of a program that raises `error`."""

    def program(_):
        raise error

    monkeypatch.setattr(sys, "argv", ["bigram"])
    with pytest.raises(SystemExit) as end:
        main("python -m experiments.bigram", bigram.Options, program)
    return end.value.code


@pytest.mark.parametrize(
    ("variable", "said", "reason"),
    [
        ("JAX_PLATFORMS", f"{STARTED} (set JAX_PLATFORMS='' to choose one)", STARTED),
        ("JAX_PLATFORM_NAME", "Backend 'tpu' failed to initialize: no\n\ntpu.", "no tpu"),
        ("JAX_DEFAULT_DEVICE", "Unknown backend tpu. Available are ['cpu']", "Unknown backend"),
    ],
)
def test_a_device_that_is_not_there_is_one_line(monkeypatch, capsys, variable, said, reason):
    monkeypatch.setenv(variable, "tpu\x1b")
    assert main_with(monkeypatch, RuntimeError(said)) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert err.startswith(
        rf"experiments.bigram: JAX cannot start a device with {variable}=tpu\x1b: "
    )
    assert reason in err
    assert err.endswith("; leave that out, or set JAX_PLATFORMS=cpu to use the CPU\n")
    assert "(set" not in err


def test_a_plugin_that_fails_is_one_line_where_no_platform_is_named(monkeypatch, capsys):
    for variable in ("JAX_PLATFORMS", "JAX_PLATFORM_NAME", "JAX_DEFAULT_DEVICE"):
        monkeypatch.delenv(variable, raising=False)
    advice = "(you may need to uninstall the failing plugin package, or set JAX_PLATFORMS=cpu)"
    assert main_with(monkeypatch, RuntimeError(f"{STARTED} {advice}")) == 2
    assert capsys.readouterr().err == (
        f"experiments.bigram: JAX cannot start a device: {STARTED}; "
        "set JAX_PLATFORMS=cpu to use the CPU\n"
    )


def test_a_platform_that_jax_leaves_out_in_silence_is_one_line(monkeypatch, capsys):
    """With JAX_PLATFORMS=cuda and no GPU, JAX raises an empty AssertionError."""

    def devices():
        raise AssertionError

    monkeypatch.setattr(jax, "devices", devices)
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    assert main_with(monkeypatch, AssertionError()) == 2
    assert capsys.readouterr().err == (
        "experiments.bigram: JAX cannot start a device with JAX_PLATFORMS=cuda: it finds none; "
        "leave that out, or set JAX_PLATFORMS=cpu to use the CPU\n"
    )


@pytest.mark.parametrize(
    "error",
    [
        jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes."),
        RuntimeError("INTERNAL: a kernel failed on backend 'cuda'"),
        RecursionError("maximum recursion depth exceeded"),
        NotImplementedError(),
        AssertionError("a fault of ours"),
        AssertionError(),
    ],
)
def test_other_errors_stay_what_they_are(monkeypatch, error):
    monkeypatch.setenv("JAX_PLATFORMS", "tpu")
    with pytest.raises(type(error)) as caught:
        main_with(monkeypatch, error)
    assert caught.value is error


@pytest.mark.parametrize(
    ("module", "platforms"),
    [
        ("mlp", "cpu,nonsense"),
        pytest.param("mlp", "nonsense", marks=pytest.mark.slow),
        pytest.param("bigram", "nonsense", marks=pytest.mark.slow),
        *(pytest.param(m, "nonsense", marks=pytest.mark.slow) for m in ("race", "scaling")),
        pytest.param("benchmark", "nonsense", marks=pytest.mark.slow),
    ],
)
def test_programs_refuse_it_before_they_write(tmp_path, module, platforms):
    (tmp_path / "names").write_text(NAMES)
    given = ("--names", tmp_path / "names", "--out", tmp_path / "run")
    environment = os.environ | {"JAX_PLATFORMS": platforms}
    process = command(f"experiments.{module}", *given, env=environment)
    out, err = process.communicate(timeout=100)
    assert (process.returncode, out, len(err.splitlines())) == (2, "", 1), err
    assert err.startswith(
        f"experiments.{module}: JAX cannot start a device with JAX_PLATFORMS={platforms}: "
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize("module", ["sample", "diagnose"])
def test_programs_that_load_say_it_of_no_file(monkeypatch, capsys, tmp_path, options, module):
    assert run(monkeypatch, capsys, "mlp", *options)[0] == 0
    before = contents(tmp_path)
    environment = os.environ | {"JAX_PLATFORMS": "nonsense"}
    process = command(f"experiments.{module}", tmp_path / "run", env=environment)
    out, err = process.communicate(timeout=100)
    assert (process.returncode, out, len(err.splitlines())) == (2, "", 1), err
    assert err.startswith(f"experiments.{module}: JAX cannot start a device with JAX_PLATFORMS=")
    assert contents(tmp_path) == before


def test_help_needs_no_device():
    environment = os.environ | {"JAX_PLATFORMS": "nonsense"}
    process = command("experiments.sample", "--help", env=environment)
    out, err = process.communicate(timeout=100)
    assert (process.returncode, err) == (0, "")
    assert "usage: python -m experiments.sample" in out
