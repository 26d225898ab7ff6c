"""The version of the code that made a log."""

import subprocess
from pathlib import Path

from mmjax.version import __version__


def code_version() -> str:
    """Return the version of the package and, if there is one, the git commit.

    A commit ends with "-dirty" if tracked files have been changed since.
    """
    command = ("git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty")
    try:
        found = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):  # no git, or no repository
        return __version__
    return f"{__version__} {found.stdout.strip()}"
