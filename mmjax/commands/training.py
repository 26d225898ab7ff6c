"""Training of the MLP's program: chunks, first state and metrics."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mmjax import diagnostics, metrics, train
from mmjax.commands.spreading import number_of_devices
from mmjax.commands.train_options import Options
from mmjax.data import Dataset
from mmjax.diagnostics.snapshot import contexts_to_measure
from mmjax.errors import require
from mmjax.model import Model
from mmjax.models import mlp
from mmjax.runs.lists import Lists
from mmjax.train import Best, Observer, Recipe, TrainState, members
from mmjax.train.loop import Metric

LOG_STEPS = 1_000  # steps between two lines of metrics
MOST_LINES = 5_000  # of metrics at most, however long a run is
FEWEST_LINES = 50  # of metrics, however short a run is
MOST_WORK = 3e11  # parameters times examples between two lines: about half a minute
CHUNKS_TO_VALIDATION = 10
WATCH = 1_024  # examples measured during training; few, since each measurement takes time


def prepared(options: Options) -> tuple[Options, mlp.MLP, Lists, int]:
    """Return the options, the model that they describe, the encoded list, and how many devices.

    The options then have the size of the list's vocabulary. Call it before JAX computes anything.
    """
    known = options.name_list.lists()
    require(
        known.whole or options.recipe.data == "windows",
        f"{options.name_list.names}: is too long to collect its distinct contexts; give --data windows",
    )
    options = replace(options, model=replace(options.model, vocab_size=known.vocab.size))
    model = mlp.MLP(**asdict(options.model))
    return options, model, known, number_of_devices(options, model)


def chunk_size(recipe: Recipe, parameters: int) -> int:
    """Return the number of steps in a chunk.

    It is even (see `train.advance`): `LOG_STEPS`, except in very short, very long and very heavy
    runs.
    """
    light = int(MOST_WORK / (parameters * recipe.batch_size))
    pairs = min(LOG_STEPS, recipe.steps // FEWEST_LINES, light) // 2
    fewest = -(-recipe.steps // (2 * MOST_LINES))
    return 2 * max(1, pairs, fewest)


def first_state(model: Model, recipe: Recipe, seeds: Sequence[int]) -> TrainState:
    """Return the initial state of one seed, or of several with a leading axis."""
    if len(seeds) == 1:
        return _init(model, recipe, jax.random.key(seeds[0]))
    return _init_members(model, recipe, jax.vmap(jax.random.key)(np.array(seeds, np.uint32)))


# They run once, so half the compile time matters more than fast code; results are bitwise the same.
_once = partial(
    jax.jit, static_argnums=(0, 1), compiler_options={"xla_backend_optimization_level": 1}
)
_init = _once(train.init)
_init_members = _once(members.init)


def new_best(recipe: Recipe) -> Best:
    """Return an empty record of the best states, which stops early if the recipe does."""
    return Best(recipe.patience if recipe.early_stopping else None)


class Measured(NamedTuple):
    """The observer and the metrics for `train.fit`."""

    observe: Observer | None
    metrics: list[Metric]


def measured(
    model: Model,
    recipe: Recipe,
    state: TrainState,
    data: Dataset,
    *,
    watch: bool,
    instruments: bool,
) -> Measured:
    """Return the measurements of a training run.

    They are the losses of the batches, with `watch` update ratios and saturation, and with
    `instruments` the costly ones.
    """
    always = [metrics.losses(recipe)]
    if instruments:
        always.append(metrics.instruments(model, recipe, data))
    if not watch:
        return Measured(None, always)
    first = members.states(state)[0]._replace(step=jnp.zeros((), jnp.int32))
    contexts = contexts_to_measure(model, first, data, WATCH)
    saturations = metrics.saturations(model, contexts)
    return Measured(diagnostics.update_sizes, [*always, metrics.update_ratios, saturations])


def validation(model: Model, recipe: Recipe, tokens: np.ndarray, chunk: int) -> Metric:
    """Return the metric of the validation loss.

    It is measured at every tenth chunk, or at every second one if it decides when to stop.
    """
    chunks = 2 if recipe.early_stopping else CHUNKS_TO_VALIDATION
    return metrics.validation(model, tokens, chunk * chunks)
