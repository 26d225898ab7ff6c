"""The cache of compiled programs, kept for the next run."""

import os
import stat
import time
import warnings
from contextlib import suppress
from pathlib import Path

import jax

KEPT_DAYS = 30  # older entries are removed


def keep_compiled() -> None:
    """Keep what XLA compiles in the user's cache folder.

    JAX runs the machine code in this folder without a check. So the folder is not used if another
    user may have access to it. It is not used either if the user has chosen another one
    (JAX_COMPILATION_CACHE_DIR).
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
    # An entry that was cut off while it was written only costs a compilation: no warning.
    warnings.filterwarnings("ignore", "Error reading persistent compilation cache")
