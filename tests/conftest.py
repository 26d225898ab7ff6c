"""Every test runs with JAX at its strictest and with the shapes in the signatures checked."""

import gc
import os
import tempfile
from pathlib import Path

import jax
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

install_import_hook("mmjax", "strict.check")
# Most of the time goes into compiling, so kernels are made the quickest way. CI makes them nearly as users do.
# Both cores are busy with tests, so code is not made in parallel.
SPLIT = "--xla_cpu_parallel_codegen_split_count=1"
QUICKLY = f"--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false {SPLIT}"
os.environ.setdefault("XLA_FLAGS", QUICKLY)
# For what holds to the bit only with the kernels that users have.
AS_USERS = {"xla_cpu_use_fusion_emitters": True}
jax.config.update("jax_num_cpu_devices", 2)  # something to spread many models over
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
gc.set_threshold(200_000, 20, 50)  # tracing makes many short-lived objects: a tenth of the time
# Programs keep what they have compiled, here for the other tests of this session alone.
_cache = tempfile.TemporaryDirectory()
os.environ["XDG_CACHE_HOME"] = _cache.name
settings.register_profile("mmjax", deadline=None, max_examples=50)
settings.load_profile("mmjax")

ROOT = Path(__file__).parent.parent
MAKEMORE_SHA256 = "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d"


@pytest.fixture(scope="session")
def shipped_names() -> list[str]:
    from mmjax import corpus

    return corpus.read_names(ROOT / "data/names.txt")


@pytest.fixture(scope="session")
def makemore_path() -> Path:
    """The lecture's list, which the repository does not hold."""
    path = Path(os.environ.get("MMJAX_MAKEMORE_NAMES", ROOT / "data/makemore.txt"))
    if not path.exists():
        pytest.skip("needs the lecture's list: make data/makemore.txt, or MMJAX_MAKEMORE_NAMES")
    return path


@pytest.fixture(scope="session")
def makemore_names(makemore_path: Path) -> list[str]:
    from mmjax import corpus

    return corpus.read_names(makemore_path)
