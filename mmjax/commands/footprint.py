"""Estimate the memory of a training run before it starts."""

from functools import partial

import jax

from mmjax import evaluate, train
from mmjax.diagnostics.snapshot import LOOK
from mmjax.generate import sample
from mmjax.io import memory
from mmjax.model import parameter_count
from mmjax.models import lookup, mlp

PROGRAM = 400 * 2**20  # Python, JAX, matplotlib and what XLA compiles
FLOAT = 4  # bytes
TOKEN = 2  # bytes, at most


def needed(config: mlp.MLP, recipe: train.Recipe, seeds: int) -> int:
    """Return the peak memory of a run in bytes, without the list."""
    held = FLOAT * _numbers(config, recipe)
    training = seeds * (held + of_training(config, recipe))  # the last good states, and a step
    saving = 5 * seeds * held
    inputs, *hidden, _ = config.layer_sizes
    widths = 2 * inputs + 3 * max(hidden)
    # After training: evaluation and recalibration piece by piece, drawing names, or the activations
    # of every layer.
    evaluating = evaluate.chunk_size(config) * FLOAT * (widths + 5 * config.vocab_size)
    drawing = sample.BATCH * FLOAT * 8 * config.vocab_size
    layers = sum(hidden) + 6 * max(hidden)
    looking = max(evaluating, drawing, LOOK * FLOAT * (widths + layers))
    return PROGRAM + max(training, saving, looking) + 2 * FLOAT * lookup.MAX_LOGITS


def of_training(config: mlp.MLP, recipe: train.Recipe) -> int:
    """Return the bytes of one network's training.

    They are its state, and what a step needs besides.
    """
    inputs, *hidden, _ = config.layer_sizes
    # Per example: every layer's output, what the backward pass keeps of it, and their gradients.
    kept = 4 + 2 * config.residual + 3 * (config.dropout > 0)
    floats = 2 * inputs + kept * sum(hidden) + 4 * config.vocab_size
    # Per drawn example: its random number, its index, and the window at that index.
    drawn = 2 * FLOAT + TOKEN * (config.block_size + 1)
    drawn *= min(recipe.steps, train.together(recipe.batch_size, config.block_size))
    return FLOAT * 2 * _numbers(config, recipe) + recipe.batch_size * (FLOAT * floats + drawn)


def _numbers(config: mlp.MLP, recipe: train.Recipe) -> int:
    """Return how many numbers a training state has."""
    key = jax.eval_shape(jax.random.key, 0)
    state = jax.eval_shape(partial(train.init, config, recipe), key)
    return parameter_count((state.params, state.stats, state.opt_state, state.ema))


def require_room(
    config: mlp.MLP, recipe: train.Recipe, seeds: int, several: str = "number of seeds"
) -> None:
    """Raise `InputError` unless there is enough memory for the run.

    The message has both figures, and says what determines the number of networks. It checks the memory of an accelerator, if there is one, and that
    of the host.
    """
    remedy = f"give a smaller network, batch or {several}"
    limit = (jax.devices()[0].memory_stats() or {}).get("bytes_limit")  # of an accelerator
    for there in (limit, None) if limit is not None else (None,):
        memory.require_room(needed(config, recipe, seeds), "this run", remedy, there)
