"""The version of the code that made a log."""

import subprocess
from pathlib import Path

from mmjax.version import __version__

RECORDS = ":(exclude,top)records"  # kept logs change this folder, but not the code


def code_version() -> str:
    """Return the version of the package and, if there is one, the git commit.

    A commit ends with "-dirty" if tracked files besides the records have been changed since.
    """
    try:
        commit = _git("rev-parse", "HEAD")
        changed = _git("diff", "--name-only", "HEAD", "--", ":(top)", RECORDS)
    except (OSError, subprocess.CalledProcessError):  # no git, or no repository
        return __version__
    return f"{__version__} {commit}{'-dirty' if changed else ''}"


def _git(*arguments: str) -> str:
    return subprocess.run(
        ("git", *arguments), cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    ).stdout.strip()
