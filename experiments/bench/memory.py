"""Memory of the process that measures."""

import re
import sys
from pathlib import Path


def peak_memory() -> float | None:
    """Return the peak memory of this process so far, in megabytes.

    Returns None on Windows.
    """
    status = Path("/proc/self/status")
    if status.exists():  # on Linux, getrusage also counts what the parent held
        high_water = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if high_water:
            return int(high_water[1]) * 1_024 / 1e6
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1_024  # bytes on macOS, kibibytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
