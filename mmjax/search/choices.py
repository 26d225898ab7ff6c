"""Values of one option: a list of choices, or a range."""

from collections.abc import Sequence
from dataclasses import MISSING, fields
from typing import Any, NamedTuple

import numpy as np

from mmjax.errors import require
from mmjax.models.mlp import MLP
from mmjax.train import Recipe

KEYS = {"low", "high", "log", "points"}  # of a range
LARGEST = 1e15  # number in a file
DIGITS = 4  # of a value that a range gives, so that it can be typed


def short(number: Any) -> Any:
    """Return a number with `DIGITS` digits, which is easier to type; a whole one unchanged."""
    return number if isinstance(number, int) else float(f"{number:.{DIGITS}g}")


class Choice(NamedTuple):
    """A list of values."""

    choices: tuple[Any, ...]

    log = False

    @property
    def ordered(self) -> bool:
        """Whether the values are numbers, so that one can be at the end."""
        return all(isinstance(each, int | float) for each in self.choices) and not any(
            isinstance(each, bool) for each in self.choices
        )

    def values(self) -> Sequence[Any]:
        """Return the values of a grid."""
        return self.choices

    def at(self, place: float) -> Any:
        """Return the value at a place from 0 to 1."""
        return self.choices[min(int(place * len(self.choices)), len(self.choices) - 1)]

    def of(self, number: int) -> Any:
        """Return the value with this number in the list."""
        return self.choices[number]

    def place(self, value: Any) -> float:
        """Return the place of a value from 0 to 1; the lowest number is at 0."""
        order = self.in_order()
        return order.index(value) / max(1, len(order) - 1)

    def in_order(self) -> list[Any]:
        """Return the values: numbers in ascending order, others as they were given."""
        return sorted(self.choices) if self.ordered else [*self.choices]


class Range(NamedTuple):
    """All numbers from `low` to `high`, both included."""

    low: float
    high: float
    log: bool = False
    """Whether the places are even on a logarithmic scale."""
    whole: bool = False
    """Whether the values are whole numbers."""
    points: int = 0
    """Number of values in a grid."""

    ordered = True

    def values(self) -> Sequence[Any]:
        """Return the values of a grid."""
        return list(dict.fromkeys(self.at(float(u)) for u in np.linspace(0, 1, self.points)))

    def at(self, place: float) -> Any:
        """Return the value at a place from 0 to 1, with `DIGITS` digits."""
        # A whole number gets the places that round to it, at the ends as elsewhere.
        ends = (self.low - self.whole / 2, self.high + self.whole / 2)
        low, high = np.log(ends) if self.log else ends
        value = low + place * (high - low)
        value = float(np.exp(value)) if self.log else value
        value = round(value) if self.whole else short(float(value))
        return min(max(value, self.low), self.high)

    def of(self, number: float) -> Any:
        """Return the value for any number in the range."""
        return short(number)

    def place(self, value: Any) -> float:
        """Return the place of a value from 0 to 1."""
        low, high = (np.log(self.low), np.log(self.high)) if self.log else (self.low, self.high)
        return float(((np.log(value) if self.log else value) - low) / (high - low))


def option_of(name: str, given: Any, table: str) -> Any:
    """Return the values that a table of the file gives an option.

    Raises `InputError` if the option is unknown, or cannot have these values.
    """
    defaults = {
        field.name: field.default
        for field in (*fields(MLP), *fields(Recipe))
        if field.default is not MISSING and field.name != "vocab_size"
    }
    require(
        name != "recipe", "[space] cannot have recipe; name one in [fixed], and vary its settings"
    )
    require(
        name in defaults,
        f"[{table}] {name}: is no setting of the network or the recipe; experiments.mlp --help shows "
        "them, here with underscores",
    )
    default, where = defaults[name], f"[{table}] {name}"
    if isinstance(given, dict):
        return _range(where, default, given)
    require(
        isinstance(given, list) and bool(given),
        f"{where} must be a list of values or a range such as {{ low = 1, high = 9 }}, not {given!r}",
    )
    return Choice(tuple(dict.fromkeys(_value(where, default, each) for each in given)))


def _value(where: str, default: Any, given: Any) -> Any:
    """Return a value as the option's kind."""
    kinds = {
        bool: (isinstance(given, bool), "true or false"),
        str: (isinstance(given, str), "text"),
        tuple: (
            isinstance(given, list) and all(type(each) is int for each in given),
            "a list of whole numbers such as [100, 100]",
        ),
        int: (type(given) is int, "a whole number"),
        float: (type(given) in (int, float), "a number"),
    }
    fits, wanted = kinds[type(default)]
    require(fits, f"{where}: each value must be {wanted}, not {given!r}")
    if isinstance(given, int | float):
        require(not abs(given) > LARGEST, f"{where}: a number is too large")
    return tuple(given) if isinstance(given, list) else type(default)(given)


def _range(where: str, default: Any, given: dict[str, Any]) -> Range:
    unknown = [key for key in given if key not in KEYS]
    require(
        not unknown and {"low", "high"} <= set(given),
        f"{where}: a range has low, high and maybe log and points, not {', '.join(given) or 'nothing'}",
    )
    require(
        type(default) in (int, float),
        f"{where} has no range, since its values are not numbers; give a list of values",
    )
    low, high = (_value(f"{where}: {end}", default, given[end]) for end in ("low", "high"))
    log, points = given.get("log", False), given.get("points", 0)
    require(isinstance(log, bool), f"{where}: log must be true or false, not {log!r}")
    require(
        type(points) is int and 0 <= points <= 10_000,
        f"{where}: points must be a whole number up to 10,000, not {points!r}",
    )
    require(low < high, f"{where}: low must be below high, not {low} and {high}")
    require(low > 0 or not log, f"{where}: a logarithmic range must begin above 0, not at {low}")
    return Range(low, high, log, isinstance(default, int), points)
