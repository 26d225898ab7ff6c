"""A network seen from inside: the lecture's tables, and what is unhealthy about them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax

from experiments.program import Table
from experiments.training import LOOK, next_contexts
from mmjax import diagnostics, divergence
from mmjax.data import Dataset
from mmjax.diagnostics import Activation, Finding, Gradient, Inspection, WeightGradient
from mmjax.model import Model
from mmjax.train import Recipe, TrainState


class Inside(NamedTuple):
    """The lecture's three tables, the parameters' norms, and the batch that the gradients are of."""

    activations: list[Activation]
    gradients: list[Gradient]
    weights: list[WeightGradient]
    norms: dict[str, float]
    batch: Inspection


def look(model: Model, recipe: Recipe, state: TrainState, data: Dataset) -> Inside:
    """Return the tables for a training state, on the batch that its next step would draw."""
    batch = divergence.inspect_next(model, recipe, state, data)
    contexts = next_contexts(model, state, data, LOOK)
    outputs = _outputs(model, state.params, state.stats, contexts)
    return Inside(
        diagnostics.activations(model, outputs),
        diagnostics.gradients(model, batch),
        diagnostics.weight_gradients(state.params, batch.grads),
        diagnostics.norms(state.params),
        batch,
    )


_outputs = jax.jit(diagnostics.outputs, static_argnums=0)


def tables(inside: Inside) -> dict[str, Table]:
    """The lecture's tables, each with its title."""
    activations = [
        (f"{a.layer}", a.name, f"{a.mean:+.2f}", f"{a.std:.2f}", _percent(a), a.dead)
        for a in inside.activations
    ]
    gradients = [(f"{g.layer}", g.name, f"{g.mean:+.6f}", f"{g.std:.2e}") for g in inside.gradients]
    weights = [
        (
            w.name,
            " x ".join(map(str, w.shape)),
            f"{w.mean:+.1e}",
            f"{w.std:.2e}",
            f"{w.ratio:.2e}",
            f"{inside.norms[w.name]:.2f}",
        )
        for w in inside.weights
    ]
    return {
        f"Activations, on {LOOK:,} training examples": Table(
            ["tanh layer", "name", "mean", "std", "saturated %", "dead units"], activations
        ),
        "Gradients at the activations, of one training batch": Table(
            ["tanh layer", "name", "gradient mean", "gradient std"], gradients
        ),
        "Gradients of the weights, of the same batch": Table(
            ["weights", "shape", "grad mean", "grad std", "grad:data", "norm"], weights
        ),
    }


def _percent(row: Activation) -> str:
    return f"{row.saturation:.2f} +- {row.saturation_error:.2f}"


def findings(
    inside: Inside, records: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]
) -> list[Finding]:
    """What is unhealthy, inside and in a run's metrics and final figures."""
    prefix = "update_ratio/"
    # A rate on its way to 0 makes small updates, which is no fault.
    highest = max((record["lr"] for record in records), default=0)
    last = next((r for r in reversed(records) if r["lr"] > 0.099 * highest), {})
    return diagnostics.health(
        inside.activations,
        inside.gradients,
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


def health_lines(findings: Sequence[Finding]) -> str:
    """A line for each finding, or one that there is none."""
    if not findings:
        return "Healthy: nothing found."
    return "\n".join(
        f"Finding: {f.symptom}, {f.where}: {f.figure:.3g}{f.unit} (limit {f.threshold:.3g}{f.unit}); try {f.remedy}."
        for f in findings
    )
