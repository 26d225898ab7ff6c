"""Exercise 7: the initial weights of a layer."""

import jax
import jax.numpy as jnp


def init(key: jax.Array, fan_in: int, fan_out: int, gain: float) -> tuple[jax.Array, jax.Array]:
    """Draw the initial weights of a linear layer."""
    # A sum of fan_in products of size 1 / sqrt(fan_in) has the size 1, whatever fan_in is.
    weight = jax.random.normal(key, (fan_in, fan_out)) * gain / fan_in**0.5
    return weight, jnp.zeros(fan_out)
