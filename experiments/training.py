"""Training the MLP of the programs: chunks, metrics, progress bar and checkpoints."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from mmjax import diagnostics, metrics, train
from mmjax.data import Dataset
from mmjax.model import Model
from mmjax.train import Chunk, Fitted, Observer, Progress, Recipe, TrainState, members
from mmjax.train.loop import FINAL, Metric, Record, Sink

LOG_STEPS = 1_000  # steps between two lines of metrics
MOST_LINES = 5_000  # of metrics, however long a run is
FEWEST_LINES = 50  # however short it is
MOST_WORK = 3e11  # parameters times examples between two lines: about half a minute
CHUNKS_TO_VALIDATION = 10
LOOK = 8_192  # examples on which activations are measured
WATCH = 1_024  # during training, where each measurement takes time


class Start(NamedTuple):
    """Where a run is resumed."""

    state: TrainState
    progress: Progress
    best_loss_val: float | None
    """The lowest validation loss so far, the mean over the seeds."""


Save = Callable[[TrainState, Progress, float | None, bool], None]


def chunk_size(recipe: Recipe, parameters: int) -> int:
    """Return the steps of a chunk, an even number (see `train.advance`).

    `LOG_STEPS`, except in very short, very long and very heavy runs.
    """
    light = int(MOST_WORK / (parameters * recipe.batch_size))
    steps = max(min(LOG_STEPS, recipe.steps // FEWEST_LINES, light), -(-recipe.steps // MOST_LINES))
    return 2 * max(1, steps // 2)


def first_state(model: Model, recipe: Recipe, seeds: Sequence[int]) -> TrainState:
    """Return the state of one seed, or of several with a leading axis."""
    if len(seeds) == 1:
        return _init(model, recipe, jax.random.key(seeds[0]))
    return _init_members(model, recipe, jax.vmap(jax.random.key)(np.array(seeds, np.uint32)))


# Run once, so half the time to compile counts for more than fast code; the numbers are bitwise the same.
_once = partial(
    jax.jit, static_argnums=(0, 1), compiler_options={"xla_backend_optimization_level": 1}
)
_init = _once(train.init)
_init_members = _once(members.init)


class Measured(NamedTuple):
    """What `train.fit` is to observe and measure."""

    observe: Observer | None
    metrics: list[Metric]


def measured(
    model: Model, recipe: Recipe, state: TrainState, data: Dataset, *, watch: bool
) -> Measured:
    """Return the losses of the batches and, with `watch`, update ratios and saturation."""
    losses = metrics.losses(recipe)
    if not watch:
        return Measured(None, [losses])
    first = members.states(state)[0]._replace(step=jnp.zeros((), jnp.int32))
    contexts = next_contexts(model, first, data, WATCH)
    saturations = metrics.saturations(model, contexts)
    return Measured(diagnostics.update_ratios, [losses, metrics.update_ratios, saturations])


def validation(model: Model, tokens: np.ndarray, chunk: int) -> Metric:
    """Return the metric of the validation loss, at every tenth chunk."""
    return metrics.validation(model, tokens, chunk * CHUNKS_TO_VALIDATION)


@partial(jax.jit, static_argnums=(0, 3))
def next_contexts(model: Model, state: TrainState, data: Dataset, examples: int) -> jax.Array:
    """Return the contexts of as many examples, drawn as those of the state's next step."""
    return train.draw_batch(model, Recipe(batch_size=examples), state, data).contexts


@contextmanager
def progress_bar(recipe: Recipe, start: Start | None, title: str | None = None) -> Iterator[Sink]:
    """Show a progress bar within the block, which the sink moves."""
    done = start.progress.step if start else 0
    last: dict[str, str] = {}
    with tqdm(
        desc=title, total=recipe.steps, initial=done, unit="step", unit_scale=True, disable=None
    ) as bar:

        def move(records: Sequence[Record], chunk: Chunk) -> None:
            last["loss"] = f"{chunk.losses.mean():.4f}"
            if "loss_val" in records[0]:
                last["val"] = f"{mean_validation(records):.4f}"
            bar.set_postfix(last, refresh=False)
            bar.update(chunk.step - bar.n)

        yield move


def mean_validation(records: Sequence[Record]) -> float:
    """Return the validation loss, the mean over the members."""
    return float(np.mean([record["loss_val"] for record in records]))


class Saver:
    """Saves a run's state: before the first step, at every validation, and after the last step."""

    def __init__(self, save: Save, start: Start | None) -> None:
        self.save = save
        self.best = start.best_loss_val if start else None
        self.saved_step = start.progress.step if start else None

    def start(self, state: TrainState, progress: Progress) -> None:
        """Save the state before the first step."""
        self._write(state, progress, best=False)

    def sink(self, records: Sequence[Record], chunk: Chunk) -> None:
        """Save the state at a validation."""
        if "loss_val" not in records[0]:
            return
        loss = mean_validation(records)
        best = self.best is None or loss < self.best
        if best:
            self.best = loss
        self._write(chunk.state, chunk.progress, best=best)

    def end(self, fitted: Fitted) -> None:
        """Save the last state, unless it is saved already."""
        if self.saved_step != fitted.progress.step:
            self._write(fitted.state, fitted.progress, best=False)

    def _write(self, state: TrainState, progress: Progress, *, best: bool) -> None:
        self.save(state, progress, self.best, best)
        self.saved_step = progress.step


def progress_of(notes: Any, seeds: int) -> Progress | None:
    """Return the progress in a checkpoint's notes; None if it is not one of so many seeds."""
    try:
        progress = Progress(**notes)
        last = progress.last_losses
        sound = (
            isinstance(progress.step, int)
            and isinstance(progress.seconds, int | float)
            and len(progress.initial_loss) == len(last) == seeds
            and all(isinstance(loss, float | None) for loss in progress.initial_loss)
            and all(len(each) == min(FINAL, progress.step) for each in last)
            and all(isinstance(loss, float) for each in last for loss in each)
        )
    except TypeError:
        return None
    return progress if sound else None
