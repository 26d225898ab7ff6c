"""One exercise, and what its laws say when they are broken."""

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Function = Callable[..., Any]
Law = Callable[[Function], None]  # raises `LawError`; the first line of its docstring is its name


class LawError(Exception):
    """A law does not hold; the message says so to the learner in one sentence."""


@dataclass(frozen=True)
class Exercise:
    """A function to write, and its laws."""

    number: int
    title: str
    signature: str
    task: str
    """What to write, in lines for the terminal and for a docstring."""
    laws: tuple[Law, ...]
    """From the most basic to the last."""
    imports: str = "import jax\nimport jax.numpy as jnp\n"

    @property
    def name(self) -> str:
        """Name of the function."""
        return self.signature.partition("(")[0]

    @property
    def arguments(self) -> list[str]:
        """Names of its arguments."""
        tree = ast.parse(f"def {self.signature}: ...")
        (found,) = (node for node in ast.walk(tree) if isinstance(node, ast.arguments))
        return [each.arg for each in found.args]

    @property
    def call(self) -> str:
        """The function and its arguments, without types."""
        return f"{self.name}({', '.join(self.arguments)})"


def name_of(law: Law) -> str:
    """Return the name of a law."""
    return (law.__doc__ or "").partition("\n")[0].rstrip(".")


def hold(holds: bool | np.bool_, sentence: str) -> None:
    """Raise `LawError(sentence)` unless `holds`."""
    if not holds:
        raise LawError(sentence)


def shown(value: float) -> str:
    """Return a number as sentences show it."""
    return f"{value:.5g}"


def kind(value: object) -> str:
    """Return what kind of value this is, in words."""
    if value is None:
        return "None (is the return missing?)"
    name = "array" if hasattr(value, "__array__") else type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def array(value: object, shape: tuple[int, ...], what: str = "the result") -> np.ndarray:
    """Return an array-like value as a float64 array; it must have this shape."""
    wanted = f"an array of shape {[*shape]}" if shape else "one number"
    hold(value is not None, f"{what} must be {wanted}, not {kind(None)}")
    try:
        found = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise LawError(f"{what} must be {wanted}, not {kind(value)}") from None
    hold(
        found.shape == shape,
        f"{what} must be {wanted}, not "
        + (f"an array of shape {[*found.shape]}" if found.shape else "one number"),
    )
    return found


def number(value: object, what: str = "the result") -> float:
    """Return one number as a float."""
    return float(array(value, (), what))


def couple(value: Any, names: str) -> tuple[Any, Any]:
    """Return the two values of a tuple."""
    hold(isinstance(value, tuple | list), f"must return a tuple {names}, not {kind(value)}")
    hold(len(value) == 2, f"must return the two values {names}, not {len(value)} values")
    return value[0], value[1]


def same(
    got: Any, wanted: Any, what: str, hint: Callable[[], str] = str, near: float = 1e-4
) -> None:
    """Require equal numbers; the sentence names the first that differs.

    `hint` returns what may be the cause, or nothing. It is called if a number differs.
    """
    got, wanted = np.asarray(got), np.broadcast_to(np.asarray(wanted), np.shape(got))
    wrong = ~np.isclose(got, wanted, rtol=near, atol=near)
    if wrong.any():
        at = tuple(np.argwhere(wrong)[0])
        where = f", at {[int(i) for i in at]}," if at else ""
        said = hint()
        raise LawError(
            f"{what}{where} must be {shown(wanted[at])}, not {shown(got[at])}"
            + (f" ({said})" if said else "")
        )
