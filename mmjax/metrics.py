"""Metrics for `train.fit`: functions of a chunk, one record per member."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Integer

from mmjax import diagnostics, evaluate, keys
from mmjax.data import Dataset
from mmjax.diagnostics import reading
from mmjax.model import Model, layer_names
from mmjax.train import Recipe, TrainState, predictor, schedule_of
from mmjax.train.loop import Chunk, Metric, Record


def losses(recipe: Recipe) -> Metric:
    """Return the metric of step, seconds, learning rate and batch losses.

    `loss_batch` is the mean loss of the chunk's batches in nats per character, with the recipe's
    penalty; `loss_batch_low` and `loss_batch_high` are the lowest and the highest. `lr` is the
    recipe's learning rate at the chunk's last step; it ignores `hyper` and your own optimizer.
    """
    schedule = schedule_of(recipe)

    def metric(chunk: Chunk) -> list[Record]:
        now: Record = {
            "step": chunk.step,
            "seconds": round(chunk.seconds, 3),
            "lr": float(f"{schedule(chunk.step - 1):.6g}"),
        }
        return [
            {
                **now,
                "loss_batch": float(each.mean()),
                "loss_batch_low": float(each.min()),
                "loss_batch_high": float(each.max()),
            }
            for each in chunk.losses
        ]

    return metric


def update_ratios(chunk: Chunk) -> list[Record]:
    """Return log10(update / weights) of each weight matrix.

    It is the mean of log10(update) over the chunk, minus log10(weights) after it. The records name
    it `update_ratio/NAME`.

    This is a metric; it needs `observe=diagnostics.update_sizes` in `train.fit`.
    """

    def one(i: int, params: Any) -> Record:
        sizes, ratios = diagnostics.norms(params), {}
        for name in diagnostics.weights(params):
            update = float(np.asarray(chunk.observed[name][i], np.float64).mean())
            weights = math.log10(sizes[name]) if sizes[name] else -math.inf
            ratios[f"update_ratio/{name}"] = update - weights
        return ratios

    return [one(i, state.params) for i, state in enumerate(chunk.states)]


def instruments(model: Model, recipe: Recipe, data: Dataset) -> Metric:
    """Return the metric of a `diagnostics.reading`; the records name its figures `instrument/...`.

    `data` is what training draws from. A reading takes as long as 20 to 40 steps.
    """

    def one(state: TrainState) -> Record:
        seen = reading.read(model, recipe, state, data)
        return {f"instrument/{name}": float(value) for name, value in seen._asdict().items()}

    return lambda chunk: [one(state) for state in chunk.states]


def saturations(model: Model, contexts: Integer[Array, "batch block_size"]) -> Metric:
    """Return the metric of each activation layer's `saturation/...`, in percent.

    `contexts` are one batch, normalised with its own BatchNorm statistics as in training.
    """
    key = jax.random.key(keys.INSTRUMENTS)

    def one(params: Any, stats: Any) -> Record:
        outputs = diagnostics.outputs(model, params, stats, contexts, key)
        return {
            f"saturation/{name}": 100 * float(diagnostics.saturated(name, outputs[name]).mean())
            for name in layer_names(model)
            if name in outputs
        }

    return lambda chunk: [one(state.params, state.stats) for state in chunk.states]


def validation(model: Model, tokens: Integer[np.ndarray, "tokens"], every: int) -> Metric:
    """Return the metric `loss_val`, the loss over `tokens`.

    It is measured at the end of a chunk if its step is a multiple of `every`, in nats per
    character. So `every` should be a multiple of the chunk of `train.fit`.
    """

    def metric(chunk: Chunk) -> Sequence[Record]:
        if chunk.step % every:
            return [{} for _ in chunk.states]
        return [
            {"loss_val": evaluate.loss(predictor(model, state), tokens)} for state in chunk.states
        ]

    return metric
