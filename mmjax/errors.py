"""The error that programs show to the user as one line."""

import numpy as np

LONGEST = 200  # characters shown of another exception's message


class InputError(Exception):
    """An error in what the user gave.

    Its message is one line that says what is wrong, where, and what to do about it. It is not a
    `ValueError`, because argument parsers catch those and show another message.
    """


def require(holds: bool, message: str) -> None:
    """Raise `InputError(message)` unless `holds`."""
    if not holds:
        raise InputError(message)


def said(error: Exception) -> str:
    """Return an exception's message as one line.

    A message of `LONGEST` or more characters is cut there.
    """
    line = " ".join((f"{error} is missing" if isinstance(error, KeyError) else str(error)).split())
    return line if len(line) < LONGEST else f"{line[:LONGEST]} ..."


def require_ranges(config: object, **ranges: tuple[float, float]) -> None:
    """Raise `InputError` unless each named attribute is in its range.

    Both ends belong to the range. If the lower end is an int, the value must be an int, too. A
    NumPy scalar is replaced by the Python number that it holds, also in a frozen dataclass.
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
