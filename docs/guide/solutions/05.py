"""Exercise 5: contexts and targets."""

import jax
import jax.numpy as jnp


def windows(names: list[list[int]], block_size: int) -> tuple[jax.Array, jax.Array]:
    """Cut names into examples: the letters before, and the next one."""
    contexts, targets = [], []
    for name in names:
        context = [0] * block_size
        for target in [*name, 0]:
            contexts.append(context)
            targets.append(target)
            context = [*context[1:], target]  # a new list: the old one is an example
    return jnp.array(contexts), jnp.array(targets)
