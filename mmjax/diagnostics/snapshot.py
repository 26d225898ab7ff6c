"""Snapshots: the lecture's tables of a network."""

from functools import partial
from typing import NamedTuple

import jax
from jaxtyping import Array, Integer

from mmjax import diagnostics, keys, train
from mmjax.data import Dataset
from mmjax.diagnostics import Activation, Gradient, Inspection, WeightGradient, divergence, rank
from mmjax.model import Model
from mmjax.train import Recipe, TrainState


class Snapshot(NamedTuple):
    """The lecture's three tables, the parameters' norms, the outputs' ranks, and a batch.

    The gradients are those of `batch`.
    """

    activations: list[Activation]
    gradients: list[Gradient]
    weights: list[WeightGradient]
    norms: dict[str, float]
    ranks: dict[str, float]
    """Effective rank of each activation layer's outputs, on `RANKED` training examples."""
    batch: Inspection


def take(model: Model, recipe: Recipe, state: TrainState, data: Dataset) -> Snapshot:
    """Return the snapshot of a training state.

    The gradients are those of the batch that its next step would draw; the activations are measured
    on `LOOK` training examples.
    """
    drawing = Recipe(batch_size=recipe.batch_size, data=recipe.data, noise=recipe.noise)
    batch = divergence.inspect_next(model, drawing, state, data)
    contexts = contexts_to_measure(model, state, data, LOOK)
    key = keys.of_layers(state.key, state.step)
    outputs = diagnostics.outputs(model, state.params, state.stats, contexts, key)
    return Snapshot(
        diagnostics.activations(model, outputs),
        diagnostics.gradients(model, batch),
        diagnostics.weight_gradients(state.params, batch.grads),
        diagnostics.norms(state.params),
        rank.effective_ranks(model, {name: out[:RANKED] for name, out in outputs.items()}),
        batch,
    )


LOOK = 8_192  # examples on which activations are measured
RANKED = 1_024  # examples whose outputs are ranked


@partial(jax.jit, static_argnums=(0, 3))
def contexts_to_measure(
    model: Model, state: TrainState, data: Dataset, examples: int
) -> Integer[Array, "examples block_size"]:
    """Return contexts to measure on.

    They are `examples` random examples, drawn with other random numbers than those of training. A
    dataset of all contexts gives all of them instead.
    """
    state = state._replace(key=jax.random.fold_in(state.key, keys.INSTRUMENTS))
    return train.draw_batch(model, Recipe(batch_size=examples), state, data).contexts
