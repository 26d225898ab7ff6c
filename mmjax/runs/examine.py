"""Examination: the evidence of a run, measured."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
import optax
from jaxtyping import Integer

from mmjax import evaluate, keys, train
from mmjax.data import Dataset
from mmjax.diagnostics import running, snapshot
from mmjax.diagnostics.evidence import Evidence
from mmjax.diagnostics.lists import list_figures
from mmjax.diagnostics.probe import probe
from mmjax.diagnostics.snapshot import LOOK, Snapshot, contexts_to_measure
from mmjax.model import Model, Predictor, named
from mmjax.train import Recipe, TrainState

FEWEST_ROWS = 8  # of a batch that is compared with the next
READINGS = 10  # lines of metrics whose middle is shown
Tokens = Integer[np.ndarray, "tokens"]


def examine(
    predictor: Predictor,
    recipe: Recipe,
    state: TrainState,
    data: Dataset,
    parts: Mapping[str, Tokens],
    seen: Snapshot,
    records: Sequence[Mapping[str, Any]],
    figures: Mapping[str, Any],
    *,
    first: Snapshot | None = None,
    counted: bool = True,
) -> Evidence:
    """Return the evidence of a run.

    `state` is the training state, and `predictor` what is evaluated of it. `data` is the dataset
    that training drew from. `parts` has the flat tokens of `train` and `val`, and `seen` is
    the snapshot of the state. `records` are lines
    of metrics, with `step`, `lr` and, if they were watched, `update_ratio/...`; `figures` are those
    of summary.json. `first` is the snapshot before the first step. Set `counted` to False if the
    counters of the state are not those of the run.
    """
    key = keys.of_layers(state.key, state.step)
    contexts = contexts_to_measure(predictor.model, state, data, LOOK)
    final = figures["final_loss"]
    # The statistics follow the last parameters, not their average, unless they were recalibrated.
    params = state.params if predictor.stats is state.stats else predictor.params
    return Evidence(
        activations=seen.activations,
        gradients=seen.gradients,
        ranks=seen.ranks,
        first_gradients=first.gradients if first else (),
        first_ranks=first.ranks if first else None,
        update_ratios=_update_ratios(records),
        initial_loss=figures["initial_loss"],
        final_loss=final if figures["stopped_at_step"] is None else math.nan,
        loss_train=figures["loss_train"],
        loss_val=figures["loss_val"],
        counted_train=figures.get("kneser_ney_loss_train"),
        counted_val=figures.get("kneser_ney_loss_val"),
        stops_early=recipe.early_stopping,
        model=predictor.model,
        recipe=recipe,
        steps=figures.get("step_of_weights", figures["steps"]),
        counters=counters(state) if counted else None,
        learning_rates=[(record["step"], record["lr"]) for record in records],
        gradient_norm=float(optax.tree.norm(seen.batch.grads)),
        non_finite=non_finite(state),
        dtypes=sorted({str(leaf.dtype) for leaf in jax.tree.leaves(state.params)}),
        running=running.gaps(predictor.model, params, predictor.stats, contexts, key),
        probe=probe(predictor, parts["val"]),
        lists=list_figures(parts["train"], parts["val"]),
        repeated_rows=repeated_rows(predictor.model, recipe, state, data),
        readings=_readings(records),
        unaveraged_loss_val=_unaveraged(predictor, state, parts["val"]),
    )


def before_training(model: Model, recipe: Recipe, seed: int, data: Dataset) -> Snapshot:
    """Return the snapshot before the first step of a run that began with random weights."""
    return snapshot.take(model, recipe, train.init(model, recipe, jax.random.key(seed)), data)


def counters(state: TrainState) -> dict[str, int]:
    """Return the number of steps that the state and its optimizer have counted, by name."""
    found = {"step": int(state.step)}
    for path, leaf in jax.tree.leaves_with_path(state.opt_state):
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        if name.rpartition(".")[2] in ("count", "step"):
            found[f"of the optimizer ({name})"] = int(leaf)
    return found


def non_finite(state: TrainState) -> list[str]:
    """Return the names of the arrays with a non-finite number, with the first row that has one."""
    found = []
    for what, tree in (("", state.params), ("statistics ", state.stats)):
        for name, leaf in named(tree).items():
            bad = np.argwhere(~np.isfinite(np.asarray(leaf, np.float64)))
            if len(bad):
                found.append(f"{what}{name}{bad[0][:1].tolist() if bad.size else ''}")
    return found


def _update_ratios(records: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    prefix = "update_ratio/"
    # A learning rate that falls to 0 makes small updates, which is no fault: use an earlier line.
    highest = max((record["lr"] for record in records), default=0)
    last = next((r for r in reversed(records) if r["lr"] > 0.099 * highest), {})
    return {
        key.removeprefix(prefix): math.nan if value is None else value
        for key, value in last.items()
        if key.startswith(prefix)
    }


def repeated_rows(model: Model, recipe: Recipe, state: TrainState, data: Dataset) -> float | None:
    """Return the share of the next batch's rows that the batch after has at the same place.

    None if the batches are meant to be the same, or so small that they may be the same by chance.
    """
    if recipe.data == "all-contexts" or recipe.batch_size < FEWEST_ROWS:
        return None
    drawing = Recipe(batch_size=recipe.batch_size, data=recipe.data, noise=recipe.noise)
    following = state._replace(step=state.step + 1)
    first, second = (
        np.asarray(train.draw_batch(model, drawing, each, data).contexts)
        for each in (state, following)
    )
    return float(np.mean(np.all(first == second, axis=-1)))


def _readings(records: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """Return the last readings without their prefix; none if nothing was read."""
    prefix = "instrument/"
    kept = [record for record in records if f"{prefix}sharpness" in record][-READINGS:]
    return [
        {
            name.removeprefix(prefix): math.nan if value is None else value
            for name, value in record.items()
            if name == "lr" or name.startswith(prefix)
        }
        for record in kept
    ]


def _unaveraged(predictor: Predictor, state: TrainState, val: Tokens) -> float | None:
    if state.ema is None:
        return None
    return evaluate.loss(Predictor(predictor.model, state.params, predictor.stats), val)
