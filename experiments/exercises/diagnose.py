"""Exercise 10: the health of a tanh layer."""

import jax.numpy as jnp
import numpy as np

from experiments.exercises.exercise import Exercise, Function, hold, kind

ANSWERS = ("dead", "saturated", "vanishing", "healthy")
ROWS, UNITS = 53, 11


def plain() -> np.ndarray:
    """Return outputs of a healthy layer."""
    noise = np.random.default_rng(10).normal(size=(ROWS, UNITS))
    return np.tanh(0.8 * noise).clip(-0.95, 0.95)


def expect(diagnose: Function, outputs: np.ndarray, wanted: str, layer: str) -> None:
    """Require an answer for a layer."""
    found = diagnose(jnp.asarray(outputs, jnp.float32))
    choice = ", ".join(map(repr, ANSWERS))
    hold(isinstance(found, str), f"must return one of {choice}, not {kind(found)}")
    hold(found in ANSWERS, f"must return one of {choice}, not {found!r}")
    hold(found == wanted, f"{layer} must be {wanted!r}, not {found!r}")


def with_large(share: float, size: float = 0.98) -> np.ndarray:
    """Return outputs of which this share is +size or -size, and no unit is dead."""
    outputs = plain()
    count = round(share * outputs.size)
    at = np.random.default_rng(0).permutation(outputs.size)[:count]
    outputs.flat[at] = size * np.where(np.arange(count) % 2, 1, -1)
    return outputs


def healthy(diagnose: Function) -> None:
    """A layer with outputs of all sizes is healthy."""
    expect(diagnose, plain(), "healthy", "a layer with outputs from -0.95 to 0.95")
    shifted = 0.2 * plain() + 0.6
    expect(diagnose, shifted, "healthy", "a layer with outputs around 0.6, and the deviation 0.1")


def dead_unit(diagnose: Function) -> None:
    """One unit that is at the end for every example makes the layer dead."""
    signs = np.where(np.arange(ROWS) % 2, 0.995, -0.995)
    for name, column in (("0.995", 0.995), ("-0.995", -0.995), ("0.995 or -0.995", signs)):
        outputs = plain()
        outputs[:, 4] = column
        layer = f"a layer whose unit 4 gives {name} for every example"
        expect(diagnose, outputs, "dead", f"{layer}, while the others are healthy,")


def every_example(diagnose: Function) -> None:
    """A unit that is alive for one example is not dead."""
    outputs = plain()
    outputs[:, 4] = 0.995
    outputs[7, 4] = 0.5
    expect(
        diagnose, outputs, "healthy", "a layer whose unit 4 gives 0.995 for all examples but one"
    )
    outputs = plain()
    outputs[3] = 0.995
    expect(diagnose, outputs, "healthy", "a layer whose units all give 0.995 for one example alone")
    outputs = plain()
    outputs[:, 4] = 0.98
    expect(diagnose, outputs, "healthy", "a layer whose unit 4 gives 0.98 for every example")


def saturated(diagnose: Function) -> None:
    """More than 40 % of outputs beyond 0.97 make the layer saturated."""
    for share, size, wanted in (
        *((0.8, 0.98, "saturated"), (0.44, 0.98, "saturated"), (0.36, 0.98, "healthy")),
        *((0.44, 1.0, "saturated"), (0.44, 0.96, "healthy")),
    ):
        layer = f"a layer with {share:.0%} of its outputs at {size} or -{size}"
        expect(diagnose, with_large(share, size), wanted, layer)


def vanishing(diagnose: Function) -> None:
    """A standard deviation of outputs below 0.1 makes the layer vanishing."""
    outputs = plain() / plain().std()
    for std, centre, wanted in (
        *((0.01, 0.0, "vanishing"), (0.09, 0.0, "vanishing"), (0.11, 0.0, "healthy")),
        (0.05, 0.5, "vanishing"),
    ):
        layer = f"a layer with outputs around {centre:g} whose standard deviation is {std:g}"
        expect(diagnose, std * outputs + centre, wanted, layer)


def precedence(diagnose: Function) -> None:
    """Dead comes before saturated, and saturated before vanishing."""
    outputs = with_large(0.8)
    outputs[:, 2] = 1
    layer = "a layer with 80% of its outputs beyond 0.97, and one dead unit,"
    expect(diagnose, outputs, "dead", layer)
    expect(diagnose, np.full((ROWS, UNITS), -0.999), "dead", "a layer with -0.999 everywhere")
    outputs = 0.98 + 0.005 * plain()
    layer = "a layer with all outputs from 0.975 to 0.985 (so the deviation is below 0.1)"
    expect(diagnose, outputs, "saturated", layer)


EXERCISE = Exercise(
    10,
    "the health of a layer",
    "diagnose(outputs: jax.Array) -> str",
    """Say what is wrong with a tanh layer, given its outputs [examples, units].

Return the first of these that is true:
  "dead"       some unit has |output| > 0.99 for every example
  "saturated"  more than 40 % of all outputs have |output| > 0.97
  "vanishing"  the standard deviation of all outputs is below 0.1
  "healthy"    otherwise
""",
    (healthy, dead_unit, every_example, saturated, vanishing, precedence),
)
