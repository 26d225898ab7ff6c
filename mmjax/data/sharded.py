"""Batches whose examples are spread over devices: data parallelism."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, PRNGKeyArray

from mmjax.data.dataset import Batch, Dataset
from mmjax.errors import require
from mmjax.model import Model

AXIS = "data"


@partial(jax.tree_util.register_dataclass, data_fields=["data"], meta_fields=["mesh"])
@dataclass(frozen=True)
class Sharded:
    """A dataset of which each device takes an equal part of every batch.

    The batches are those of `data`. A training step on them computes on all devices of the mesh:
    parameters and statistics are the same on each, and XLA inserts the sums over the devices, also
    in BatchNorm. So a step gives what it gives on one device, up to rounding.
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
        """Return what `batch` needs, on every device."""
        return self.data.draw(key, batch_size)

    def batch(self, drawn: Any) -> Batch:
        """Return the examples, spread over the devices.

        Raises `InputError` if the devices cannot take equal parts.
        """
        batch, devices = self.data.batch(drawn), self.mesh.shape[AXIS]
        require(
            len(batch.contexts) % devices == 0,
            f"batch_size must be a multiple of the {devices} devices, not {len(batch.contexts)}",
        )
        parts = NamedSharding(self.mesh, PartitionSpec(AXIS))
        return jax.lax.with_sharding_constraint(batch, parts)


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
    return Sharded(data, jax.make_mesh((devices,), (AXIS,), **kinds))


def everywhere(tree: Any, mesh: Mesh) -> Any:
    """Return a tree of arrays with a copy on each device of the mesh.

    Several processes need it for the state and the dataset; each has to give the same arrays.
    """
    whole = NamedSharding(mesh, PartitionSpec())

    def copied(x: Array) -> Array:
        if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            data = copied(jax.random.key_data(x))
            return jax.random.wrap_key_data(data, impl=jax.random.key_impl(x))
        values = np.asarray(x)
        return jax.make_array_from_callback(values.shape, whole, values.__getitem__)

    return jax.tree.map(copied, tree)
