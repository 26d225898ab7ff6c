"""Training the MLP chunk by chunk: one network, or one for every seed side by side."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from experiments import inside
from experiments.program import Interruption
from mmjax import Predictor, contexts, diagnostics, evaluate, many, mlp, train

LOG_STEPS = (
    1_000  # steps between two lines of metrics; of a shorter run than 50 of these the fiftieth part
)
CHUNKS_TO_VALIDATION = 10
FINAL = 100  # steps whose mean is the final loss

Record = dict[str, float]


class Training(NamedTuple):
    """What training was like; `seconds` include the compilation, not the validation."""

    steps: int
    seconds: float
    initial_loss: float | None
    final_loss: float | None
    stopped_at: int | None
    """The step whose loss was no number, after which the last good state was kept."""


class Chunk(NamedTuple):
    """What a chunk of steps leaves: states in the form of `train` or `many`, and per seed the rest."""

    states: train.TrainState
    losses: np.ndarray
    ratios: dict[str, np.ndarray]


def fit(
    config: mlp.Config,
    recipe: train.Recipe,
    seeds: Sequence[int],
    data: train.Data,
    validation: np.ndarray,
    log: Callable[[list[Record]], None],
    interruption: Interruption,
    *,
    watch: bool = True,
) -> list[tuple[train.TrainState, Training]]:
    """Train on `data` until the last step, an interruption or a loss that is no number, and log every chunk, a record each seed."""
    schedule = recipe.schedule()
    states = init(config, recipe, seeds)
    some = inside.next_contexts(config, members(states)[0], data)
    done, seconds = 0, 0.0
    initial: list[float | None] = [None for _ in seeds]
    final, stopped_at = initial, [None for _ in seeds]
    shown = {}
    chunk = 2 * max(1, min(LOG_STEPS, recipe.steps // 50) // 2)  # even, see train.advance
    with tqdm(total=recipe.steps, unit="step", unit_scale=True, disable=None) as progress:
        while done < recipe.steps and not interruption:
            size = min(chunk, recipe.steps - done)
            good = copied(states)
            started = time.perf_counter()
            states, losses, ratios = advance(config, recipe, states, data, size, watch)
            seconds += time.perf_counter() - started
            if done == 0:
                initial = losses[:, 0].tolist()
            final = losses[:, -FINAL:].mean(axis=1).tolist()
            each = members(states)
            bad = [first_bad(*pair) for pair in zip(each, losses, strict=True)]
            if any(step is not None for step in bad):
                states = good
                stopped_at = [None if step is None else done + step for step in bad]
                final = [
                    loss if step is None else math.nan
                    for loss, step in zip(final, bad, strict=True)
                ]
                break
            done += size
            now: Record = {
                "step": done,
                "seconds": round(seconds, 3),
                "lr": float(f"{schedule(done - 1):.6g}"),
            }
            validate = done % (chunk * CHUNKS_TO_VALIDATION) == 0
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
                    predictor = Predictor(mlp, config, state.params, state.stats)
                    record["loss_val"] = evaluate.loss(predictor, validation)
                records.append(record)
            log(records)
            shown["loss"] = f"{losses.mean():.4f}"
            if validate:
                shown["val"] = f"{np.mean([record['loss_val'] for record in records]):.4f}"
            progress.set_postfix(shown, refresh=False)
            progress.update(size)
    ends = zip(members(states), initial, final, stopped_at, strict=True)
    return [(state, Training(done, seconds, i, f, s)) for state, i, f, s in ends]


def training_data(config: mlp.Config, recipe: train.Recipe, tokens: np.ndarray) -> train.Data:
    """What the recipe draws its batches from."""
    if isinstance(recipe, train.Fast):
        return contexts.collect(tokens, config.vocab_size, config.block_size)
    return jnp.asarray(tokens)


def init(config: mlp.Config, recipe: train.Recipe, seeds: Sequence[int]) -> train.TrainState:
    """The state of one seed, or of all of them with a leading axis."""
    if len(seeds) == 1:
        return train.init(mlp, config, recipe, jax.random.key(seeds[0]))
    return many.init(mlp, config, recipe, jax.vmap(jax.random.key)(np.array(seeds, np.uint32)))


def members(states: train.TrainState) -> list[train.TrainState]:
    """The state of every seed."""
    return many.members(states) if states.step.ndim else [states]


def advance(
    config: mlp.Config,
    recipe: train.Recipe,
    states: train.TrainState,
    data: train.Data,
    steps: int,
    watch: bool,
) -> Chunk:
    """`steps` more steps; the losses [seeds, steps] and, if watched, mean update ratios [seeds] of each weight."""
    several = states.step.ndim == 1
    if not watch:
        go = many.advance if several else train.advance
        states, losses = go(mlp, config, recipe, states, data, steps=steps)
        return Chunk(states, np.atleast_2d(losses), {})
    go, ratios = many.watch if several else train.watch, diagnostics.update_ratios
    states, (losses, said) = go(mlp, config, recipe, states, data, ratios, steps=steps)
    means = {name: np.atleast_2d(ratio).mean(axis=1) for name, ratio in said.items()}
    return Chunk(states, np.atleast_2d(losses), means)


def saturations(config: mlp.Config, state: train.TrainState, inputs: jax.Array) -> Record:
    """The saturation of each tanh layer, by the name it has in the metrics."""
    outputs = inside.outputs_of(config, state.params, state.stats, inputs)
    names = (name for name in mlp.layer_names(config) if name in outputs)
    return {f"saturation/{name}": diagnostics.saturation(outputs[name]) for name in names}


@jax.jit
def copied(state: train.TrainState) -> train.TrainState:
    """The same state in memory of its own, so that the first can be donated."""
    return jax.tree.map(jnp.copy, state)


def first_bad(state: train.TrainState, losses: np.ndarray) -> int | None:
    """The first of a chunk's steps whose loss is no finite number; their number if the state behind is none."""
    bad = np.flatnonzero(~np.isfinite(losses))
    if len(bad):
        return int(bad[0])
    return None if finite(state.params) else len(losses)


def finite(tree: Any) -> bool:
    """Whether every number in a tree is finite."""
    return all(bool(np.isfinite(np.asarray(leaf)).all()) for leaf in jax.tree.leaves(tree))
