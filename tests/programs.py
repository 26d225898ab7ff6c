"""Running the programs within a test: for files of tests to share."""

import json
import subprocess
import sys

import pytest
from conftest import ROOT

from experiments import bigram, compare, diagnose, mlp, sample
from experiments.program import main

PROGRAMS = {
    "bigram": (bigram.Options, bigram.program),
    "mlp": (mlp.of_recipe, mlp.program),
    "sample": (sample.Options, sample.program),
    "diagnose": (diagnose.Options, diagnose.program),
    "compare": (compare.Options, compare.program),
}


def run(monkeypatch, capsys, program, *options, report=False):
    """(status, output, errors) of a program run in this process, without a report if not asked for one."""
    if program in ("mlp", "bigram") and not report:
        options = (*options, "--no-report")
    monkeypatch.setattr("sys.argv", [program, *map(str, options)])
    with pytest.raises(SystemExit) as exit_info:
        main(f"experiments.{program}", *PROGRAMS[program])
    out, err = capsys.readouterr()
    return exit_info.value.code, out, err


def command(*arguments, **settings):
    """A program as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **settings,
    )


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


def contents(folder):
    """Every file of a folder with its bytes."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
