"""Helpers that run the programs in a test; several test files share them."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from conftest import QUICKLY, ROOT

from experiments import (
    bigram,
    compare,
    counting,
    diagnose,
    distill,
    judge,
    rates,
    speedrun,
    sweep,
)
from mmjax.cli.program import main
from mmjax.commands import sample, score
from mmjax.commands import train as mlp
from mmjax.commands.train_options import of_recipe
from mmjax.runs import outcome

CHECKED_SAMPLES = 1_000  # fewer than the programs draw, since every network here is tiny
# A short list that is long enough to be split.
NAMES = "ann\nbob\nzoe\nneil\nanna\nives\nlili\nbo\ncy\ndee\neve\nfay\n"
PROGRAMS = {
    "bigram": (bigram.Options, bigram.program),
    "mlp": (of_recipe, mlp.program),
    "counting": (counting.Options, counting.program),
    "sample": (sample.Options, sample.program),
    "score": (score.Options, score.program),
    "diagnose": (diagnose.Options, diagnose.program),
    "compare": (compare.Options, compare.program),
    "judge": (judge.Options, judge.program),
    "rates": (rates.of_recipe, rates.program),
    "sweep": (sweep.Options, sweep.program),
    "distill": (distill.of_lesson, distill.program),
    "speedrun": (speedrun.Options, speedrun.program),
}


def run(monkeypatch, capsys, program, *options, report=False):
    """Run a program in this process; return (status, output, errors).

    The training programs make a report only with `report`.
    """
    if program in ("mlp", "bigram") and not report:
        options = (*options, "--no-report")
    monkeypatch.setattr("sys.argv", [program, *map(str, options)])
    monkeypatch.setattr(outcome, "CHECKED_SAMPLES", CHECKED_SAMPLES)
    with pytest.raises(SystemExit) as exit_info:
        main(f"python -m experiments.{program}", *PROGRAMS[program])
    out, err = capsys.readouterr()
    return exit_info.value.code, out, err


def command(*arguments, **settings):
    """Start a program in its own process."""
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
    """Return the bytes of every file in a folder, by path."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Forks:
    """Runs of the MLP, one after the other, in forked children.

    Their parent is one process that has imported everything (see `forks.py`).
    """

    def __init__(self, folder):
        self.errors = (folder / "errors.txt").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(ROOT / "tests/forks.py")],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "XLA_FLAGS": QUICKLY},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate()
        self.errors.close()

    def run(self, options, kill_after=None):
        """Run the MLP; return (status, its standard error).

        The run is killed after `kill_after` seconds, unless it has ended.
        """
        assert self.process.stdin
        assert self.process.stdout
        self.errors.truncate(0)
        print(json.dumps([*map(str, options)]), file=self.process.stdin, flush=True)
        child = int(self.process.stdout.readline())
        if kill_after is not None:
            time.sleep(kill_after)
            with suppress(ProcessLookupError):  # the run has ended
                os.kill(child, signal.SIGKILL)
        status = int(self.process.stdout.readline())
        self.errors.seek(0)
        return status, self.errors.read()
