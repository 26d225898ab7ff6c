"""Losses of many networks of one shape."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mmjax.data import ContextTable
from mmjax.keys import exact_under_vmap
from mmjax.model import Model
from mmjax.train import TrainState, cross_entropy, predictor
from mmjax.train.placement import at_once, devices_for, for_each

PIECE = 2**12  # contexts evaluated at once; bounds the memory


def member_losses(
    model: Model, states: TrainState, table: ContextTable
) -> Float[np.ndarray, "members"]:
    """Return the loss of every member on a list, in nats per character.

    `states` are those of `train.members`. `table` holds the list's distinct contexts
    (`context_table.collect`), which are fewer than its examples. The loss equals that of
    `evaluate.loss`, up to rounding.
    """
    together = at_once() and exact_under_vmap(states.key)
    return np.asarray(_losses(model, states, table, devices_for(states), together))


@partial(jax.jit, static_argnums=(0, 3, 4))
def _losses(
    model: Model, states: TrainState, table: ContextTable, devices: int, together: bool
) -> Array:
    counts = jnp.diff(table.ends, prepend=jnp.zeros(1, table.ends.dtype))
    # Padding rows have the weight 0.
    pieces = jax.tree.map(_in_pieces, (table.contexts, table.next_probs, counts / table.ends[-1]))

    def loss(state: TrainState, pieces: Any) -> Array:
        trained = predictor(model, state)

        def part(piece: tuple[Array, Array, Array]) -> Array:
            contexts, next_probs, weights = piece
            return cross_entropy(trained.logits(contexts), next_probs, weights)

        return jnp.sum(jax.lax.map(part, pieces))

    return for_each(loss, states, pieces, devices=devices, at_once=together)


def _in_pieces(rows: Array) -> Array:
    missing = -len(rows) % PIECE if len(rows) > PIECE else 0
    padded = jnp.pad(rows, [(0, missing)] + [(0, 0)] * (rows.ndim - 1))
    return padded.reshape(-1, min(len(padded), PIECE), *rows.shape[1:])
