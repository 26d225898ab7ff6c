"""Settings and fixtures of all tests.

JAX raises on implicit promotion of ranks and types, and every function of mmjax checks the shapes
in its signature.
"""

import gc
import os
import tempfile
from pathlib import Path

import jax
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

install_import_hook("mmjax", "strict.check")
# Compiling takes most of the time, so it is done the quickest way; `make slow` compiles nearly as
# users do. Parallel tests keep the cores busy, so no program is compiled in parallel.
SPLIT = "--xla_cpu_parallel_codegen_split_count=1"
QUICKLY = f"--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false {SPLIT}"
os.environ.setdefault("XLA_FLAGS", QUICKLY)
# Compiler options for bitwise equality that holds only with the kernels that users have.
AS_USERS = {"xla_cpu_use_fusion_emitters": True}
# For what trains long, so that fast kernels count for more than the time to make them.
OPTIMISED = {**AS_USERS, "xla_backend_optimization_level": 2}
jax.config.update("jax_num_cpu_devices", 2)  # devices to spread many models over
jax.config.update("jax_default_matmul_precision", "highest")  # as the programs set it
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
# Tracing makes many short-lived objects; collecting them less often saves a tenth of the time.
gc.set_threshold(200_000, 20, 50)
# Programs cache what they have compiled; here only the tests of this session use that cache.
if "PYTEST_XDIST_WORKER" not in os.environ:  # a worker has that of the session that started it
    _cache = tempfile.TemporaryDirectory()
    os.environ["XDG_CACHE_HOME"] = _cache.name
settings.register_profile("mmjax", deadline=None, max_examples=30)
settings.load_profile("mmjax")

ROOT = Path(__file__).parent.parent
MAKEMORE_SHA256 = "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d"


@pytest.fixture(autouse=True)
def programs_of_experiments(monkeypatch):
    """Commands to type next are those of `experiments`, also after a test that ran `mmjax`."""
    from mmjax.runs import command_line

    monkeypatch.setattr(command_line, "_programs", dict(command_line.EXPERIMENTS))


@pytest.fixture(scope="session")
def shipped_names() -> list[str]:
    from mmjax import corpus

    return corpus.read_names(ROOT / "data/names.txt")


@pytest.fixture(scope="session")
def makemore_path() -> Path:
    """Return the path of the lecture's list, which is not in the repository."""
    path = Path(os.environ.get("MMJAX_MAKEMORE_NAMES", ROOT / "data/makemore.txt"))
    if not path.exists():
        pytest.skip("needs the lecture's list: make data/makemore.txt, or MMJAX_MAKEMORE_NAMES")
    return path


@pytest.fixture(scope="session")
def makemore_names(makemore_path: Path) -> list[str]:
    from mmjax import corpus

    return corpus.read_names(makemore_path)
