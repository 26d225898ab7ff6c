"""Activations by name, with tests for saturated and dead outputs."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

SATURATED = 0.97  # |tanh| above which hardly any gradient passes
DEAD = 0.99  # |tanh| above which a unit learns almost nothing


class Activation(NamedTuple):
    """An elementwise function with two tests of its outputs.

    The tests take arrays of outputs and return bools.
    """

    function: Callable[[Array], Array]
    saturated: Callable[[Any], Any]
    """Whether an output passes on hardly any gradient."""
    dead: Callable[[Any], Any]
    """Whether a unit with this output on every example learns almost nothing."""


ACTIVATIONS = {
    "tanh": Activation(
        jnp.tanh,
        saturated=lambda output: abs(output) > SATURATED,
        dead=lambda output: abs(output) > DEAD,
    ),
}
