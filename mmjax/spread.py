"""Arrays that are spread over devices, seen from inside `jax.shard_map`.

The type of an array (`jax.typeof`) names the mesh axes over which its values vary. So a layer asks
its input whether each device has another part of the batch, and needs no argument for it. Outside
`shard_map` nothing is spread, and the functions return what they were given.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Shaped

AXIS = "data"  # the mesh axis that divides a batch


def is_spread(x: Array) -> bool:
    """Return whether each device has another part of `x`."""
    kind: Any = jax.typeof(x)
    # JAX 0.10 has renamed the attribute.
    return AXIS in (kind.vma if hasattr(kind, "vma") else kind.manual_axis_type.varying)


def rows(x: Shaped[Array, "rows ..."]) -> int:
    """Return the number of rows on all devices."""
    return len(x) * jax.lax.axis_size(AXIS) if is_spread(x) else len(x)


def summed(arrays: tuple[Array, ...]) -> tuple[Array, ...]:
    """Return the sums over the devices of arrays of one shape, in one message.

    Their gradients are summed in one message, too.
    """
    if not is_spread(arrays[0]):
        return arrays
    return tuple(varying(jax.lax.psum(jnp.stack(arrays), AXIS)))


def gathered(x: Shaped[Array, "..."]) -> Shaped[Array, "devices ..."]:
    """Return the parts of a spread array, stacked; every device has the same result."""
    mine = jnp.arange(jax.lax.axis_size(AXIS)) == jax.lax.axis_index(AXIS)
    one = jnp.where(jnp.expand_dims(mine, range(1, x.ndim + 1)), x[None], jnp.zeros_like(x)[None])
    return jax.lax.psum(one, AXIS)


def mean(tree: Any) -> Any:
    """Return the mean over the devices of each array, in one message."""
    flat, unravel = ravel_pytree(tree)
    return unravel(jax.lax.pmean(flat, AXIS)) if is_spread(flat) else tree


def varying(tree: Any) -> Any:
    """Return the same arrays, typed as if they differed between devices.

    Then their gradients are those of each device's part alone.
    """
    return jax.tree.map(lambda x: x if is_spread(x) else jax.lax.pcast(x, AXIS, to="varying"), tree)


def part(tree: Any, rows: int) -> Any:
    """Return this device's part of arrays that every device has whole.

    The parts have equal numbers of rows, `rows`, and follow the order of the devices.
    """
    first = jax.lax.axis_index(AXIS) * rows
    return jax.tree.map(lambda x: jax.lax.dynamic_slice_in_dim(x, first, rows), tree)
