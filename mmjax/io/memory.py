"""Memory: how much is available, and a check before large allocations."""

import sys
from contextlib import suppress
from pathlib import Path

from mmjax.errors import require

MEMINFO = Path("/proc/meminfo")
CONTROL_GROUP = Path("/sys/fs/cgroup")


def available() -> int:
    """Return the bytes of memory that this process can still take.

    On Linux this is the smallest of the kernel's MemAvailable, what the control group leaves and
    what RLIMIT_AS leaves. It is `sys.maxsize` where the system does not say.
    """
    return min(_of_the_system(), _of_the_control_group(), _of_the_process())


def require_room(needed: float, what: str, remedy: str, there: int | None = None) -> None:
    """Raise `InputError` unless `needed` bytes of memory are available.

    `there` is the number of available bytes, by default `available()`. The message starts with
    `what`, the thing that needs the memory, and ends with `remedy`.
    """
    there = available() if there is None else there
    require(
        needed <= there,
        f"{what} needs about {size(needed)} of memory, but {size(there)} are available; {remedy}",
    )


def size(count: float) -> str:
    """Return a number of bytes as text, such as 1.5 GiB.

    The units are powers of 1,024.
    """
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:,.1f} TiB"


def _of_the_system() -> int:
    with suppress(OSError, ValueError, IndexError):
        for line in MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return sys.maxsize


def _of_the_control_group() -> int:
    """Return the bytes that a version 2 control group leaves.

    Its inactive file cache counts as free.
    """
    with suppress(OSError, ValueError, KeyError):
        # Without a limit the file says "max", which raises ValueError.
        limit = int((CONTROL_GROUP / "memory.max").read_text())
        used = int((CONTROL_GROUP / "memory.current").read_text())
        lines = (CONTROL_GROUP / "memory.stat").read_text().splitlines()
        return max(0, limit - used + int(dict(line.split() for line in lines)["inactive_file"]))
    return sys.maxsize


def _of_the_process() -> int:
    with suppress(ImportError, OSError, ValueError, IndexError):
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            return max(0, limit - pages * resource.getpagesize())
    return sys.maxsize
