"""The error that speaks to the user."""

import numpy as np

LONGEST = 200  # characters of what others say


class InputError(Exception):
    """What was given cannot work; one line says what, where, and what to do about it.

    It is no `ValueError` on purpose: argument parsers catch those and say something else instead.
    """


def require(holds: bool, message: str) -> None:
    """Raise `InputError(message)` unless `holds`."""
    if not holds:
        raise InputError(message)


def said(error: Exception) -> str:
    """What an exception says, as one line of a bearable length."""
    line = " ".join((f"{error} is missing" if isinstance(error, KeyError) else str(error)).split())
    return line if len(line) < LONGEST else f"{line[:LONGEST]} ..."


def require_ranges(config: object, **ranges: tuple[float, float]) -> None:
    """Raise `InputError` unless each named attribute lies in its range, both ends included.

    Where the range is given in integers the value has to be one. A NumPy scalar becomes the Python
    number that it holds, also in a frozen dataclass.
    """
    for name, (low, high) in ranges.items():
        value = getattr(config, name)
        if isinstance(value, np.generic):
            value = value.item()
            object.__setattr__(config, name, value)
        kind = int if isinstance(low, int) else (int, float)
        # A NaN is in no range.
        require(
            isinstance(value, kind) and not isinstance(value, bool) and low <= value <= high,
            f"{name} must be {'a whole' if kind is int else 'a'} number from {low:,} to {high:,}, not {value!r}",
        )
