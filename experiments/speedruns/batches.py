"""Training on batches that cover a table of contexts evenly, shared by the cores."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array

from mmjax import mlp, train
from mmjax.data import ContextTable
from mmjax.static import Static
from mmjax.train import Optimizer, Recipe

GOLDEN = (5**0.5 - 1) / 2  # multiples of it, without their whole part, cover 0 to 1 evenly
CORES = "cores"


def even_rows(key: Array, ends: Array, steps: int, batch_size: int) -> Array:
    """Return the rows of a table for every step [steps, batch_size].

    A batch takes examples at equal distances, so it has each context nearly as often as the list.
    The first example moves from step to step, so that the steps cover the list evenly, too.
    """
    first = (jax.random.uniform(key) + GOLDEN * jnp.arange(steps, dtype=float)) % 1.0
    at = (jnp.arange(batch_size, dtype=float)[None, :] + first[:, None]) / batch_size
    rows = jnp.searchsorted(ends / ends[-1], at, side="right")
    return jnp.minimum(rows, len(ends) - 1)


@partial(jax.jit, static_argnames=("model", "recipe", "optimizer", "power", "cores"))
def taught(
    model: mlp.MLP,
    recipe: Recipe,
    key: Array,
    table: ContextTable,
    optimizer: Static[Optimizer | None],
    power: float,
    cores: int,
) -> train.TrainState:
    """Return the state after training on even batches, each of them shared by the cores.

    A power below 1 has rare contexts more often. Else a fifth of a batch would be the same few
    contexts, which say the same each time.
    """
    rule = optax.chain(shared_gradient(), optimizer.value or train.optimizer_of(recipe))
    state = train.init(model, recipe, key, optimizer=rule)
    frequency = jnp.diff(table.ends, prepend=0) / table.ends[-1]
    drawn = frequency**power / jnp.sum(frequency**power)
    rows = even_rows(state.key, jnp.cumsum(drawn), recipe.steps, recipe.batch_size)
    weights = frequency / drawn * cores / recipe.batch_size
    # Neighbouring examples go to different cores, so that every share is even.
    shares = rows.reshape(recipe.steps, -1, cores).transpose(2, 0, 1)

    def share(state: train.TrainState, rows: Array) -> train.TrainState:
        def step(state: train.TrainState, rows: Array) -> tuple[train.TrainState, Array]:
            batch = table.batch(rows)._replace(weights=weights[rows])
            return train.train_step(model, recipe, state, batch, optimizer=rule)

        state, _ = jax.lax.scan(step, state, rows[0], unroll=2)
        return state._replace(stats=jax.lax.pmean(state.stats, CORES))

    mesh = Mesh(np.array(jax.devices()[:cores]), (CORES,))
    whole, each = PartitionSpec(), PartitionSpec(CORES)
    return jax.shard_map(
        share, mesh=mesh, in_specs=(whole, each), out_specs=whole, check_vma=False
    )(state, shares)


def shared_gradient() -> Optimizer:
    """Return the transformation that averages the gradients of the cores, in one message."""

    def average(grads: optax.Updates, _: optax.Params | None) -> optax.Updates:
        flat, unravel = ravel_pytree(grads)
        return unravel(jax.lax.pmean(flat, CORES))

    return optax.stateless(average)
