"""Trainings of the bigram, and their results."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from mmjax import bigram, counts, metrics, train
from mmjax.cli.interruption import Interruption
from mmjax.cli.progress import progress_bar
from mmjax.data import AllContexts
from mmjax.train import Chunk, Recipe, TrainState
from mmjax.train.loop import Record

LOOKS = 50  # chunks in a training, about
FULL = Recipe(data="all-contexts", schedule="constant")  # full-batch gradient descent


class Fit(NamedTuple):
    """A trained bigram and how it compares with counting.

    Losses are in nats per character.
    """

    recipe: Recipe
    params: bigram.Params
    steps: int
    initial_loss: float | None
    final_loss: float | None
    """Mean over the last 100 steps, with the penalty."""
    loss: float
    """After the last step, with the penalty."""
    nll: float
    """After the last step, without the penalty."""
    max_abs_diff: float
    """Largest difference of a probability from the counted one."""
    stopped_at: int | None
    """The step with a non-finite loss or update, or None; the table is that before its chunk."""


def fit(
    recipe: Recipe,
    title: str,
    state: TrainState,
    data: AllContexts,
    table: np.ndarray,
    interruption: Interruption,
    log: Callable[[Record], object] = lambda record: None,
) -> Fit:
    """Train the bigram by full-batch gradient descent and log every chunk."""
    model = bigram.Bigram(len(table))

    def sink(records: Sequence[Record], chunk: Chunk) -> None:
        del chunk
        log(records[0])

    with progress_bar(recipe, None, title) as move_bar:
        fitted = train.fit(
            *(model, recipe, state, data),
            chunk=2 * max(1, recipe.steps // LOOKS // 2),
            metrics=[metrics.losses(recipe)],
            sinks=[sink, move_bar],
            stops=[interruption.stop],
        )
    params, progress = fitted.state.params, fitted.progress
    probs = np.asarray(bigram.probabilities(model, params), np.float64)
    return Fit(
        recipe,
        params,
        progress.step,
        progress.initial_loss[0],
        progress.final_loss[0],
        float(bigram.loss(model, params, jnp.asarray(table), penalty=recipe.penalty)),
        counts.nll(probs, table),
        float(abs(probs - counts.probabilities(table)).max()),
        fitted.stopped_at[0],
    )


def references(steps: int) -> dict[str, Recipe]:
    """Return the settings to compare with, each with at most `steps` steps."""
    shorter = {
        "the lecture's settings": replace(FULL, learning_rate=0.1, steps=100, penalty=0.01),
        "settings that work": replace(FULL, learning_rate=50.0, steps=100, penalty=0.01),
    }
    converged = replace(FULL, learning_rate=50.0, steps=5_000, penalty=0.01)
    return {
        title: replace(recipe, steps=min(recipe.steps, steps)) for title, recipe in shorter.items()
    } | ({"the same, converged": converged} if converged.steps <= steps else {})
