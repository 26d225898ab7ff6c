"""Memory: how much there is, and refusal of what does not fit."""

import sys
from contextlib import suppress
from pathlib import Path

from mmjax.errors import require

MEMINFO = Path("/proc/meminfo")
CONTROL_GROUP = Path("/sys/fs/cgroup")


def available() -> int:
    """Bytes that this process can still take, as far as the system tells; `sys.maxsize` where it does not.

    On Linux the least of what the kernel calls available, what the control group leaves and what RLIMIT_AS leaves.
    """
    return min(_of_the_system(), _of_the_control_group(), _of_the_process())


def require_room(needed: float, what: str, remedy: str, there: int | None = None) -> None:
    """Raise `InputError` unless `needed` bytes are `there`, by default `available`, for `what`."""
    there = available() if there is None else there
    require(
        needed <= there,
        f"{what} would take about {size(needed)} of memory, and {size(there)} are there; {remedy}",
    )


def size(count: float) -> str:
    """A number of bytes as people say it, in powers of 1,024: 1.5 GiB."""
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
    """What version 2 leaves, its file cache counted as free."""
    with suppress(OSError, ValueError, KeyError):
        limit = int((CONTROL_GROUP / "memory.max").read_text())  # "max" is no number
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
