"""Keep what XLA compiled for the next run."""

import os
import stat
import time
import warnings
from contextlib import suppress
from pathlib import Path

import jax

KEPT_DAYS = 30  # how long what was compiled is kept


def keep_compiled() -> None:
    """Keep what XLA compiles for the next run, in a folder of the user's own.

    It holds machine code that is run as it is found. So it is left alone where anybody else could have written
    into it, and where the user has chosen a place of their own (JAX_COMPILATION_CACHE_DIR).
    """
    chosen = getattr(jax.config, "jax_compilation_cache_dir", None)
    if chosen or not hasattr(os, "getuid"):
        return
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mmjax"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except (OSError, RuntimeError):  # RuntimeError: the user has no home
        return
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        return
    old = time.time() - KEPT_DAYS * 86_400
    for entry in folder.glob("jit_*"):
        with suppress(OSError):
            if entry.stat().st_mtime < old:
                entry.unlink()
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.05)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    # An entry that was cut off while it was written costs a compilation, and nobody need know.
    warnings.filterwarnings("ignore", "Error reading persistent compilation cache")
