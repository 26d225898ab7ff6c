"""Batches whose examples are spread over devices: data parallelism."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, PRNGKeyArray

from mmjax import spread
from mmjax.data.dataset import Batch, Dataset, draw_ahead
from mmjax.errors import require
from mmjax.model import Model


@partial(jax.tree_util.register_dataclass, data_fields=["data"], meta_fields=["mesh"])
@dataclass(frozen=True)
class Sharded:
    """A dataset whose batches are divided equally among devices in training.

    The batches are those of `data`. A training step on them computes on all devices of the mesh,
    with the same parameters and statistics on each. BatchNorm normalises by the whole batch. So a
    step gives what it gives on one device, up to rounding. Two messages between the devices per
    BatchNorm, and one for the gradients, are all that a step sends.
    """

    data: Dataset
    mesh: Mesh
    """Its axis `data` divides the batch."""

    def require_fit(self, model: Model) -> None:
        """Raise `InputError` if `data` does."""
        inner = getattr(self.data, "require_fit", None)
        if inner:
            inner(model)

    def draw(self, key: PRNGKeyArray, batch_size: int) -> Any:
        """Return what `batch` needs."""
        return self.data.draw(key, batch_size)

    def batch(self, drawn: Any) -> Batch:
        """Return the whole batch."""
        return self.data.batch(drawn)


@partial(jax.tree_util.register_dataclass, data_fields=["data"], meta_fields=["devices"])
@dataclass(frozen=True)
class Part:
    """The part of a `Sharded` dataset's batches that one device takes, inside `jax.shard_map`."""

    data: Dataset
    devices: int

    def draw(self, key: PRNGKeyArray, batch_size: int) -> Any:
        """Return what `batch` needs for the whole batch."""
        return self.data.draw(key, batch_size)

    def draw_ahead(self, key: PRNGKeyArray, later: PRNGKeyArray, batch_size: int) -> Any:
        """Return what `draw` does, and let `data` prepare a later draw."""
        return draw_ahead(self.data, key, later, batch_size)

    def batch(self, drawn: Any) -> Batch:
        """Return this device's examples.

        Weights are multiplied by the number of devices, because the loss of a step is the mean over
        the devices. Raises `InputError` if the devices cannot take equal parts.
        """
        batch = self.data.batch(drawn)
        rows, rest = divmod(len(batch.contexts), self.devices)
        require(
            not rest,
            f"batch_size must be a multiple of the {self.devices} devices, not {len(batch.contexts)}",
        )
        mine = spread.part(batch, rows)
        if mine.weights is None:
            return mine
        return mine._replace(weights=mine.weights * self.devices)


def sharded(data: Dataset, devices: int) -> Sharded:
    """Return the dataset with its batches spread over the first `devices` devices.

    Pass it to `train.run`, `train.advance` or `train.fit`. A CPU is one device, unless
    `jax.config.update("jax_num_cpu_devices", n)` comes before the first computation. Raises
    `InputError` if JAX has fewer devices.
    """
    known = jax.devices()
    require(
        1 <= devices <= len(known),
        f"devices must be 1 to {len(known)}, the number that JAX has, not {devices}",
    )
    kinds = {"axis_types": (AxisType.Auto,), "devices": known[:devices]}
    return Sharded(data, jax.make_mesh((devices,), (spread.AXIS,), **kinds))


def on_each_device(run: Callable[[Any, Dataset], Any], state: Any, data: Sharded) -> Any:
    """Return `run(state, part)`, called on each device with its `Part` of the dataset.

    The state and the results are the same on every device.
    """
    devices = data.mesh.shape[spread.AXIS]
    whole = PartitionSpec()
    called = jax.shard_map(
        lambda state, inner: run(state, Part(inner, devices)),
        mesh=data.mesh,
        in_specs=(whole, whole),
        out_specs=whole,
    )
    return called(state, data.data)


def everywhere(tree: Any, mesh: Mesh) -> Any:
    """Return a tree of arrays with a copy on each device of the mesh.

    Several processes need it for the state and the dataset. Every process must give the same
    arrays.
    """
    whole = NamedSharding(mesh, PartitionSpec())

    def copied(x: Array) -> Array:
        if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            data = copied(jax.random.key_data(x))
            return jax.random.wrap_key_data(data, impl=jax.random.key_impl(x))
        values = np.asarray(x)
        return jax.make_array_from_callback(values.shape, whole, values.__getitem__)

    return jax.tree.map(copied, tree)
