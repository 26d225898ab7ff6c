"""Activations by name, with tests for saturated and dead outputs."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

SATURATED = 0.97  # |tanh| above which hardly any gradient passes
DEAD = 0.99  # |tanh| above which a unit learns almost nothing
# Outputs of gelu and silu between this and 0 come from inputs far below 0, where both are flat, or,
# in less than 1 % of cases, from inputs just below 0.
FLAT = -0.01


class Activation(NamedTuple):
    """An elementwise function with two tests of its outputs.

    The tests take arrays of outputs and return bools.
    """

    function: Callable[[Array], Array]
    saturated: Callable[[Any], Any]
    """Whether an output passes on hardly any gradient."""
    dead: Callable[[Any], Any]
    """Whether a unit with this output on every example learns almost nothing."""
    max_saturation: float
    """Percent of saturated outputs up to which a layer is healthy."""


def _below_zero(output: Any) -> Any:
    return output <= 0


def _flat(output: Any) -> Any:
    return (output <= 0) & (output > FLAT)


# docs/REPRODUCTION.md quotes 10 to 15 % for tanh. The lecture's network, trained here, ends at 14
# to 18 % in the layers after a BatchNorm, so 20 leaves room. relu passes half of a centred input.
ACTIVATIONS = {
    "tanh": Activation(
        jnp.tanh,
        saturated=lambda output: abs(output) > SATURATED,
        dead=lambda output: abs(output) > DEAD,
        max_saturation=20.0,
    ),
    "relu": Activation(jax.nn.relu, _below_zero, _below_zero, max_saturation=90.0),
    "gelu": Activation(jax.nn.gelu, _flat, _flat, max_saturation=50.0),
    "silu": Activation(jax.nn.silu, _flat, _flat, max_saturation=50.0),
}
