"""The memory that a training run will take, reckoned before any of it is asked for."""

from functools import partial

import jax

from mmjax import evaluate, lookup, mlp, sample, train
from mmjax.diagnostics.snapshot import LOOK
from mmjax.io import memory
from mmjax.model import parameter_count

PROGRAM = 400 * 2**20  # Python, JAX, matplotlib and what XLA compiles
FLOAT = 4
TOKEN = 2  # at most


def needed(config: mlp.MLP, recipe: train.Recipe, seeds: int) -> int:
    """Bytes at the highest, the list left out."""
    held = FLOAT * _numbers(config, recipe)
    training = seeds * (held + of_training(config, recipe))  # the last good copies, and a step
    saving = 5 * seeds * held
    widths = 2 * config.block_size * config.embedding_dim + 3 * config.hidden_size
    # Evaluation and recalibration, piece by piece, or the activations of every layer.
    evaluating = evaluate.chunk_size(config) * FLOAT * (widths + 5 * config.vocab_size)
    drawing = sample.BATCH * FLOAT * 8 * config.vocab_size
    layers = (config.hidden_layers + 6) * config.hidden_size
    looking = max(evaluating, drawing, LOOK * FLOAT * (widths + layers))
    return PROGRAM + max(training, saving, looking) + 2 * FLOAT * lookup.MAX_LOGITS


def of_training(config: mlp.MLP, recipe: train.Recipe) -> int:
    """Bytes of one network's training: its state, and what a step needs besides."""
    inputs, hidden = config.block_size * config.embedding_dim, config.hidden_size
    # Of one example: every layer's output, what the backward pass keeps of it, and their gradients.
    floats = 2 * inputs + 4 * config.hidden_layers * hidden + 4 * config.vocab_size
    # Of one that is drawn: the random number, the index, and the window that is cut there.
    drawn = 2 * FLOAT + TOKEN * (config.block_size + 1)
    drawn *= min(recipe.steps, train.together(recipe.batch_size, config.block_size))
    return FLOAT * 2 * _numbers(config, recipe) + recipe.batch_size * (FLOAT * floats + drawn)


def _numbers(config: mlp.MLP, recipe: train.Recipe) -> int:
    """How many numbers there are in a state."""
    key = jax.eval_shape(jax.random.key, 0)
    state = jax.eval_shape(partial(train.init, config, recipe), key)
    return parameter_count((state.params, state.stats, state.opt_state, state.ema))


def require_room(config: mlp.MLP, recipe: train.Recipe, seeds: int) -> None:
    """Raise `InputError`, with the figure, unless the run's memory is there."""
    remedy = "give a smaller network, batch or number of seeds"
    limit = (jax.devices()[0].memory_stats() or {}).get("bytes_limit")  # of an accelerator
    for there in (limit, None) if limit is not None else (None,):
        memory.require_room(needed(config, recipe, seeds), "this run", remedy, there)
