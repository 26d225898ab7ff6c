"""After SIGKILL at a random moment, a run resumes and ends the same.

The kill may come during a write; every checkpoint is whole.
"""

import os
import random
import signal
import tempfile
import time
from pathlib import Path

import pytest
from programs import NAMES, Forks
from test_resume import results

from mmjax import checkpoint

KILLS = int(os.environ.get("MMJAX_KILLS", "6"))


@pytest.fixture
def folder():
    """Yield a folder, in memory if the system allows it.

    A run writes hundreds of times, and would wait for a disk each time.
    """
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.mark.slow
def test_killed_at_any_moment_a_run_goes_on_and_ends_the_same(folder):
    with Forks(folder) as forks:
        kill_and_resume(folder, forks)


def kill_and_resume(tmp_path, forks):
    draw = random.Random(0)
    (tmp_path / "names").write_text(NAMES)
    size = ("--embedding-dim", 3, "--hidden-size", 7, "--hidden-layers", 2, "--no-report")
    options = ("--names", tmp_path / "names", "--steps", 20_000, *size)
    assert forks.run((*options, "--out", tmp_path / "whole"))[0] == 0  # fills the cache
    started = time.perf_counter()
    assert forks.run((*options, "--out", tmp_path / "whole"))[0] == 0
    seconds = time.perf_counter() - started
    whole = results(tmp_path / "whole")
    kills, found = 0, {"fresh": 0, "resumed": 0, "half-written": 0, "runs": 0}
    while kills < KILLS:
        out = tmp_path / f"run-{kills}"
        status = None
        while status != 0:
            began = any((out / "checkpoints").glob("step-*.safetensors"))
            found["half-written"] += any(out.rglob(".*.tmp"))
            resume = ("--resume",) if began else ("--overwrite",)
            # The kill may come after the end of the run, so some runs end by themselves.
            status, said = forks.run((*options, "--out", out, *resume), draw.uniform(0, seconds))
            assert status in (0, -signal.SIGKILL), said
            assert said == ""
            if status:
                kills += 1
                found["resumed" if began else "fresh"] += 1
                for path in out.glob("checkpoints/*.safetensors"):
                    checkpoint.load(path)  # raises if it is not whole
        found["runs"] += 1
        assert results(out) == whole
    print(f"\n{kills} kills: {found}")
    assert found["resumed"] > KILLS // 4
