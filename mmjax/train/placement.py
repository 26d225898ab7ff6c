"""Where the members of a population lie: spread over the devices."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from mmjax.train.step import TrainState


def mesh(devices: int) -> Mesh:
    """Return the mesh with the one axis `members` over so many devices."""
    return jax.make_mesh((devices,), ("members",), axis_types=(AxisType.Auto,))


def spread(states: TrainState, devices: int) -> TrainState:
    """Return the states spread over the devices.

    The functions of `members` take and return states placed in this way. If the devices cannot take
    equal numbers of members, each holds all states.
    """
    even = len(states.step) % devices == 0
    each = PartitionSpec("members") if even else PartitionSpec()
    return jax.lax.with_sharding_constraint(states, NamedSharding(mesh(devices), each))


def at_once() -> bool:
    """Return whether the members of a device should train at once, not in turn.

    A CPU core has no idle arithmetic units: two networks of the lecture's size take 10 % longer
    with `vmap` than in turn, and 50 % longer with batches of 256. Only networks of about 20 units
    per layer gain from it on a CPU.
    """
    return jax.default_backend() != "cpu"


def for_each(
    function: Callable[[TrainState, Any], Any],
    states: TrainState,
    shared: Any,
    *,
    devices: int,
    at_once: bool,
) -> Any:
    """Return `function(state, shared)` of every member, with a leading axis of members.

    The members are spread over the devices. Those of one device are mapped all at once, or in turn.
    """

    def in_turn(states: TrainState, shared: Any) -> Any:
        return jax.lax.map(lambda state: function(state, shared), states)

    # Every device takes the same number of members; copies of the last one fill the gaps.
    count = len(states.step)
    missing = -count % devices
    filled = jax.tree.map(lambda x: jnp.concatenate([x, *[x[-1:]] * missing]), states)
    each, whole = PartitionSpec("members"), PartitionSpec()
    out = jax.shard_map(
        jax.vmap(function, in_axes=(0, None)) if at_once else in_turn,
        mesh=mesh(devices),
        in_specs=(each, whole),
        out_specs=each,
        check_vma=False,
    )(filled, shared)
    return jax.tree.map(lambda x: x[:count], out)


def placed(states: TrainState) -> TrainState:
    """Spread states from elsewhere, such as a checkpoint, over the devices."""
    return _place(states, devices_for(states))


_place = jax.jit(spread, static_argnums=1)


def unstack(states: TrainState) -> list[TrainState]:
    """Return the state of each member, on the first device.

    Each is a state of `train`.
    """
    return [jax.device_put(state, jax.devices()[0]) for state in _unstack(states)]


def stack(states: Sequence[TrainState]) -> TrainState:
    """Return the states of several members with a leading axis: the inverse of `unstack`."""
    devices = min(len(states), jax.device_count())
    everywhere = NamedSharding(mesh(devices), PartitionSpec())
    return _stack(jax.device_put(list(states), everywhere), devices)


@partial(jax.jit, static_argnums=1)
def _stack(states: Sequence[TrainState], devices: int) -> TrainState:
    return spread(jax.tree.map(lambda *leaves: jnp.stack(leaves), *states), devices)


def devices_for(states: TrainState) -> int:
    """Return over how many devices the states are spread."""
    return min(len(states.step), jax.device_count())


def states(state: TrainState) -> list[TrainState]:
    """Return the state of each member as a list.

    The list of a single network has one state, on one device.
    """
    if state.step.ndim:
        return unstack(state)
    return [on_first_device(state)]


def on_first_device(tree: Any) -> Any:
    """Return arrays that every device has whole, as those of this process's first device."""

    def here(x: Any) -> Any:
        spread = isinstance(x, jax.Array) and len(x.sharding.device_set) > 1
        return x.addressable_data(0) if spread else x

    return jax.tree.map(here, tree)


@jax.jit
def _unstack(states: TrainState) -> list[TrainState]:
    return [jax.tree.map(lambda x: x[i], states) for i in range(len(states.step))]  # noqa: B023
