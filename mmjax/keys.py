"""Random keys: a stream of its own for each use.

Maps give each key its own numbers.
"""

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array, Int, Key, PRNGKeyArray

# A key is folded with one of these before it is used, so that no two uses see the same numbers.
# They are far above the small numbers that `split` and step counters fold in.
LAYERS = 0x6C617965  # random layers of a training step, such as dropout
NAMES = 0x6E616D65  # drawing names
NOISE = 0x6E6F6973  # noise in the contexts of a batch
LIVE = 0x6C697665  # names drawn to watch a network in training
INSTRUMENTS = 0x6C6F6F6B  # examples on which a network in training is measured


def of_layers(key: PRNGKeyArray, step: Int[Array, ""] | int) -> PRNGKeyArray:
    """Return the key for a step's random layers; `key` is `TrainState.key`."""
    return jax.random.fold_in(jax.random.fold_in(key, step), LAYERS)


def batched(function: Callable[..., Any], keys: Key[Array, "..."]) -> Callable[..., Any]:
    """Return `function` mapped over the leading axis of its arguments.

    `keys` tells the kind of the keys.
    Every key draws the same numbers as in a loop. For threefry keys this is `jax.vmap`. Keys of
    other kinds, such as rbg, draw all numbers from the first key under `vmap`, so they are mapped
    one by one.
    """
    if exact_under_vmap(keys):
        return jax.vmap(function)
    return lambda *arguments: jax.lax.map(lambda each: function(*each), arguments)


def exact_under_vmap(keys: Key[Array, "..."]) -> bool:
    """Return whether keys of this kind draw the same numbers under `jax.vmap` as alone."""
    return str(jax.random.key_impl(keys)) == "threefry2x32"
