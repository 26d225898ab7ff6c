"""The list of names that comes with the library."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]
PLACES = (PACKAGE / "lists/names.txt", PACKAGE.parent / "data/names.txt")  # a wheel, a repository


def shipped_list() -> Path:
    """Return the path of the shipped list."""
    return next((path for path in PLACES if path.exists()), PLACES[-1])
