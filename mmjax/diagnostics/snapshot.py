"""Snapshots: the lecture's tables of a network, and its findings."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
from jaxtyping import Array, Integer

from mmjax import diagnostics, keys, train
from mmjax.data import Dataset
from mmjax.diagnostics import Activation, Finding, Gradient, Inspection, WeightGradient, divergence
from mmjax.model import Model
from mmjax.train import Recipe, TrainState


class Snapshot(NamedTuple):
    """The lecture's three tables, the parameters' norms, and a batch.

    The gradients are those of `batch`.
    """

    activations: list[Activation]
    gradients: list[Gradient]
    weights: list[WeightGradient]
    norms: dict[str, float]
    batch: Inspection


def take(model: Model, recipe: Recipe, state: TrainState, data: Dataset) -> Snapshot:
    """Return the snapshot of a training state.

    The gradients are those of the batch that its next step would draw; the activations are measured
    on `LOOK` training examples.
    """
    batch = divergence.inspect_next(model, recipe, state, data)
    contexts = contexts_to_measure(model, state, data, LOOK)
    key = keys.of_layers(state.key, state.step)
    outputs = diagnostics.outputs(model, state.params, state.stats, contexts, key)
    return Snapshot(
        diagnostics.activations(model, outputs),
        diagnostics.gradients(model, batch),
        diagnostics.weight_gradients(state.params, batch.grads),
        diagnostics.norms(state.params),
        batch,
    )


def findings(
    snapshot: Snapshot,
    records: Sequence[Mapping[str, Any]],
    summary: Mapping[str, Any],
    *,
    stops_early: bool,
) -> list[Finding]:
    """Return the findings of a snapshot, a run's metrics and its final figures.

    With `stops_early`, the weights are those with the lowest validation loss.
    """
    prefix = "update_ratio/"
    # A learning rate that falls to 0 makes small updates, which is no fault: use an earlier line.
    highest = max((record["lr"] for record in records), default=0)
    last = next((r for r in reversed(records) if r["lr"] > 0.099 * highest), {})
    return diagnostics.health(
        snapshot.activations,
        snapshot.gradients,
        update_ratios={
            key.removeprefix(prefix): math.nan if value is None else value
            for key, value in last.items()
            if key.startswith(prefix)
        },
        initial_loss=summary["initial_loss"],
        final_loss=math.nan if summary["stopped_at_step"] is not None else summary["final_loss"],
        loss_train=summary["loss_train"],
        loss_val=summary["loss_val"],
        counted_train=summary.get("kneser_ney_loss_train"),
        counted_val=summary.get("kneser_ney_loss_val"),
        stops_early=stops_early,
    )


LOOK = 8_192  # examples on which activations are measured


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
