"""Training the MLP chunk by chunk: one network, or one for every seed side by side."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from experiments import inside
from experiments.program import Interruption
from mmjax import Predictor, batches, contexts, diagnostics, evaluate, many, mlp, train
from mmjax.model import layer_names, named, parameter_count

LOG_STEPS = 1_000  # steps between two lines of metrics
MOST_LINES = 5_000  # of metrics, however long a run is
FEWEST_LINES = 50  # however short it is
MOST_WORK = 3e11  # parameters times examples between two lines: about half a minute
CHUNKS_TO_VALIDATION = 10
FINAL = 100  # steps whose mean is the final loss

Record = dict[str, float]


class Progress(NamedTuple):
    """How far training has come; of losses one for each seed."""

    step: int
    seconds: float
    """Of training, the compilation included, the validation not."""
    initial_loss: list[float | None]
    last_losses: list[list[float]]
    """Each seed's losses of the last `FINAL` steps, fewer if there were fewer."""
    best_loss_val: float | None = None
    """The lowest validation loss so far, the mean over the seeds."""

    @classmethod
    def of(cls, notes: Any, seeds: int) -> "Progress | None":
        """What `_asdict` gave and a stranger may have changed; None if it is no progress of so many seeds."""
        try:
            progress = cls(**notes)
            last = progress.last_losses
            sound = (
                isinstance(progress.step, int)
                and isinstance(progress.seconds, int | float)
                and isinstance(progress.best_loss_val, float | None)
                and len(progress.initial_loss) == len(last) == seeds
                and all(isinstance(loss, float | None) for loss in progress.initial_loss)
                and all(len(each) == min(FINAL, progress.step) for each in last)
                and all(isinstance(loss, float) for each in last for loss in each)
            )
        except TypeError:
            return None
        return progress if sound else None


class Training(NamedTuple):
    """What the training of one seed was like; `seconds` include the compilation, not the validation."""

    steps: int
    seconds: float
    initial_loss: float | None
    final_loss: float | None
    """The mean over the last `FINAL` steps, or over all if there were fewer."""
    stopped_at: int | None
    """The step whose loss was no number, after which the last good state was kept."""
    began_in: str | None
    """The layer where that began."""


class Chunk(NamedTuple):
    """What a chunk of steps leaves: states in the form of `train` or `many`, and per seed the rest."""

    states: train.TrainState
    losses: np.ndarray
    ratios: dict[str, np.ndarray]


Keep = Callable[[train.TrainState, Progress, bool], None]


def fit(
    config: mlp.MLP,
    recipe: train.Recipe,
    seeds: Sequence[int],
    data: batches.Data,
    validation: np.ndarray,
    log: Callable[[list[Record]], None],
    interruption: Interruption,
    *,
    watch: bool = True,
    keep: Keep = lambda states, progress, best: None,
    start: tuple[train.TrainState, Progress] | None = None,
) -> list[tuple[train.TrainState, Training]]:
    """Train on `data` until the last step, an interruption or a loss that is no number, and log every chunk, a record each seed.

    From the beginning, or from a `start` that `keep` was given: the states so far, and whether they are the best. It is called before
    the first step, at every validation, and at the end, with what has been logged until then.
    """
    schedule = recipe.schedule()
    states, progress = start or beginning(config, recipe, seeds)
    first = members(states)[0]
    some = inside.next_contexts(config, first._replace(step=jnp.zeros_like(first.step)), data)
    bad: list[int | None] = [None for _ in seeds]
    began: list[str | None] = [None for _ in seeds]
    if start is None:
        keep(states, progress, False)
    kept = progress.step
    shown = {}
    chunk = chunk_size(recipe, parameter_count(states.params))
    with tqdm(total=recipe.steps, initial=kept, unit="step", unit_scale=True, disable=None) as bar:
        while progress.step < recipe.steps and not interruption:
            # Up to the next whole chunk, also from where another number of steps has left off.
            size = min(chunk - progress.step % chunk, recipe.steps - progress.step)
            good = train.copied(states)
            started = time.perf_counter()
            states, losses, ratios = advance(config, recipe, states, data, size, watch)
            seconds = progress.seconds + time.perf_counter() - started
            initial = losses[:, 0].tolist() if progress.step == 0 else progress.initial_loss
            last = np.hstack([np.array(progress.last_losses), losses])[:, -FINAL:].tolist()
            each = members(states)
            bad = [first_bad(*pair) for pair in zip(each, losses, strict=True)]
            if any(step is not None for step in bad):
                states = good
                began = [
                    None if step is None else origin(config, recipe, state, data, step)
                    for state, step in zip(members(good), bad, strict=True)
                ]
                progress = progress._replace(seconds=seconds, initial_loss=initial)
                break
            step = progress.step + size
            now: Record = {
                "step": step,
                "seconds": round(seconds, 3),
                "lr": float(f"{schedule(step - 1):.6g}"),
            }
            validate = step % (chunk * CHUNKS_TO_VALIDATION) == 0
            records = []
            for i, state in enumerate(each):
                record = now | {
                    "loss_train": float(losses[i].mean()),
                    "loss_low": float(losses[i].min()),
                    "loss_high": float(losses[i].max()),
                }
                if watch:
                    # jit hands dicts back sorted by name; here they are in the order of the network.
                    names = diagnostics.weights(state.params)
                    record |= {f"update_ratio/{name}": float(ratios[name][i]) for name in names}
                    record |= saturations(config, state, some)
                if validate:
                    predictor = Predictor(config, state.params, state.stats)
                    record["loss_val"] = evaluate.loss(predictor, validation)
                records.append(record)
            log(records)
            progress = Progress(step, seconds, initial, last, progress.best_loss_val)
            shown["loss"] = f"{losses.mean():.4f}"
            if validate:
                loss = float(np.mean([record["loss_val"] for record in records]))
                shown["val"] = f"{loss:.4f}"
                best = progress.best_loss_val is None or loss < progress.best_loss_val
                if best:
                    progress = progress._replace(best_loss_val=loss)
                keep(states, progress, best)
                kept = step
            bar.set_postfix(shown, refresh=False)
            bar.update(size)
    if kept < progress.step:
        keep(states, progress, False)
    step, seconds, initial, last, _ = progress
    final = [
        math.nan if stopped is not None else float(np.mean(losses)) if losses else None
        for losses, stopped in zip(last, bad, strict=True)
    ]
    stopped = [None if inside_chunk is None else step + inside_chunk for inside_chunk in bad]
    ends = zip(members(states), initial, final, stopped, began, strict=True)
    return [(state, Training(step, seconds, i, f, s, b)) for state, i, f, s, b in ends]


def beginning(
    config: mlp.MLP, recipe: train.Recipe, seeds: Sequence[int]
) -> tuple[train.TrainState, Progress]:
    """The states and the progress before the first step."""
    states = init(config, recipe, seeds)
    return states, Progress(0, 0.0, [None for _ in seeds], [[] for _ in seeds])


def chunk_size(recipe: train.Recipe, parameters: int) -> int:
    """Steps in a chunk, an even number (see `train.advance`): `LOG_STEPS`, but for very short, very long and very heavy runs."""
    light = int(MOST_WORK / (parameters * recipe.batch_size))
    steps = max(min(LOG_STEPS, recipe.steps // FEWEST_LINES, light), -(-recipe.steps // MOST_LINES))
    return 2 * max(1, steps // 2)


def training_data(config: mlp.MLP, recipe: train.Recipe, tokens: np.ndarray) -> batches.Data:
    """What the recipe draws its batches from."""
    if isinstance(recipe, train.Fast):
        return contexts.collect(tokens, config.vocab_size, config.block_size)
    return jnp.asarray(tokens)


def init(config: mlp.MLP, recipe: train.Recipe, seeds: Sequence[int]) -> train.TrainState:
    """The state of one seed, or of all of them with a leading axis."""
    if len(seeds) == 1:
        return first_state(config, recipe, jax.random.key(seeds[0]))
    return first_states(config, recipe, jax.vmap(jax.random.key)(np.array(seeds, np.uint32)))


# It runs once: the same numbers, to the bit, after half the time to compile.
once = partial(
    jax.jit, static_argnums=(0, 1), compiler_options={"xla_backend_optimization_level": 1}
)
first_state = once(train.init)
first_states = once(many.init)


def members(states: train.TrainState) -> list[train.TrainState]:
    """The state of every seed."""
    return many.members(states) if states.step.ndim else [states]


def advance(
    config: mlp.MLP,
    recipe: train.Recipe,
    states: train.TrainState,
    data: batches.Data,
    steps: int,
    watch: bool,
) -> Chunk:
    """`steps` more steps; the losses [seeds, steps] and, if watched, mean update ratios [seeds] of each weight."""
    several = states.step.ndim == 1
    go = many.advance if several else train.advance
    if not watch:
        states, losses = go(config, recipe, states, data, steps=steps)
        return Chunk(states, np.atleast_2d(losses), {})
    observe = diagnostics.update_ratios
    states, (losses, said) = go(config, recipe, states, data, steps=steps, observe=observe)
    means = {name: np.atleast_2d(ratio).mean(axis=1) for name, ratio in said.items()}
    return Chunk(states, np.atleast_2d(losses), means)


def saturations(config: mlp.MLP, state: train.TrainState, inputs: jax.Array) -> Record:
    """The saturation of each tanh layer, by the name it has in the metrics."""
    outputs = inside.outputs_of(config, state.params, state.stats, inputs)
    names = (name for name in layer_names(config) if name in outputs)
    return {f"saturation/{name}": diagnostics.saturation(outputs[name]) for name in names}


def first_bad(state: train.TrainState, losses: np.ndarray) -> int | None:
    """The first of a chunk's steps whose loss is no finite number; their number if the state behind is none."""
    bad = np.flatnonzero(~np.isfinite(losses))
    if len(bad):
        return int(bad[0])
    return None if finite(trained(state)) else len(losses)


def trained(state: train.TrainState) -> tuple[Any, Any, Any]:
    """What the steps change."""
    return state.params, state.stats, state.opt_state


def finite(tree: Any) -> bool:
    """Whether every number in a tree is finite."""
    return all(bool(np.isfinite(np.asarray(leaf)).all()) for leaf in jax.tree.leaves(tree))


def origin(
    config: mlp.MLP, recipe: train.Recipe, state: train.TrainState, data: batches.Data, bad: int
) -> str:
    """Where step `bad`, counted from a good `state`, first comes to a number that is not finite.

    A layer of the forward pass; if the step before has left such a number, a gradient or an update of that one.
    """

    def after(steps: int) -> train.TrainState:
        return train.advance(config, recipe, train.copied(state), data, steps=steps)[0]

    def first(arrays: Mapping[str, Any]) -> str | None:
        return next((name for name, array in arrays.items() if not finite(array)), None)

    there = after(bad) if bad else state
    layers = layer_names(config)
    if finite(trained(there)):
        outputs = inside.inspect_next(config, recipe, there, data).outputs
        return first({name: outputs[name] for name in layers if name in outputs}) or "the loss"
    batch = inside.inspect_next(config, recipe, after(bad - 1), data)
    backwards = {name: batch.output_grads[name] for name in layers[::-1] if name in batch.outputs}
    places = {
        "the gradient at": first(backwards),
        "the gradient of": first(named(batch.grads)),
        "the update of": first(named(there.params)),
        "the running statistics of": first(named(there.stats)),
    }
    return next((f"{what} {name}" for what, name in places.items() if name), "the optimizer")
