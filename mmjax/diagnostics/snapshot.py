"""A network seen from inside: the lecture's tables, and what is unhealthy about them."""

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
    """The lecture's three tables, the parameters' norms, and the batch that the gradients are of."""

    activations: list[Activation]
    gradients: list[Gradient]
    weights: list[WeightGradient]
    norms: dict[str, float]
    batch: Inspection


def take(model: Model, recipe: Recipe, state: TrainState, data: Dataset) -> Snapshot:
    """Return the tables for a training state, on the batch that its next step would draw."""
    batch = divergence.inspect_next(model, recipe, state, data)
    contexts = contexts_to_measure(model, state, data, LOOK)
    outputs = _outputs(model, state.params, state.stats, contexts)
    return Snapshot(
        diagnostics.activations(model, outputs),
        diagnostics.gradients(model, batch),
        diagnostics.weight_gradients(state.params, batch.grads),
        diagnostics.norms(state.params),
        batch,
    )


_outputs = jax.jit(diagnostics.outputs, static_argnums=0)


def findings(
    snapshot: Snapshot, records: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]
) -> list[Finding]:
    """What is unhealthy, inside and in a run's metrics and final figures."""
    prefix = "update_ratio/"
    # A rate on its way to 0 makes small updates, which is no fault.
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
    )


LOOK = 8_192  # examples on which activations are measured


@partial(jax.jit, static_argnums=(0, 3))
def contexts_to_measure(
    model: Model, state: TrainState, data: Dataset, examples: int
) -> Integer[Array, "examples block_size"]:
    """Return the contexts of so many examples, drawn from a stream of their own."""
    state = state._replace(key=jax.random.fold_in(state.key, keys.INSTRUMENTS))
    return train.draw_batch(model, Recipe(batch_size=examples), state, data).contexts
