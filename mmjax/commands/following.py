"""A training run on several processes: what those after the first do."""

from hashlib import sha256

import numpy as np

from mmjax import data, train
from mmjax.cli import processes
from mmjax.cli.interruption import interruptible
from mmjax.commands import spreading, training
from mmjax.commands.train_options import Options
from mmjax.model import parameter_count
from mmjax.models import mlp
from mmjax.runs import command_line
from mmjax.runs.layout import INTERRUPTED
from mmjax.runs.lists import Lists
from mmjax.train import Progress, TrainState

STOPPED = 143  # status of a process that another one has stopped, as after SIGTERM


def join(options: Options) -> None:
    """Make this process one of those that train together; call it before JAX computes anything."""
    processes.join(
        command_line.name(),
        options.coordinator or "auto",
        options.processes,
        options.process,
        devices=options.devices // options.processes,
    )


def program(options: Options) -> int:
    """Train along with process 0, which measures, writes and prints everything."""
    with processes.silent(), interruptible() as interruption:
        options, model, known, devices = training.prepared(options)
        recipe = options.recipe.plain()
        require_same(options, model, known)
        examples = data.of(recipe.data, known.training, model, noise=recipe.noise)
        state = training.first_state(model, recipe, [options.seed])
        measured = training.measured(
            model, recipe, state, examples, watch=options.watch, instruments=False
        )
        state, step, ended = told(state)
        state, batches = spreading.spread(state, examples, devices)
        fitted = train.fit(
            *(model, recipe, state, batches),
            chunk=training.chunk_size(recipe, parameter_count(state.params)),
            observe=measured.observe,
            stops=[processes.agreed(interruption.stop)],
            progress=Progress.start(1)._replace(step=step),
            reason="process 0 has ended training" if ended else None,
        )
    return interruption.status or (STOPPED if fitted.reason == INTERRUPTED else 0)


def require_same(options: Options, model: mlp.MLP, known: Lists) -> None:
    """Raise `InputError` unless all processes have the same list and options of training."""
    said = (
        model,
        options.recipe.plain(),
        options.watch,
        options.seed,
        known.checksum,
        sha256(known.tokens["train"].tobytes()).hexdigest(),
    )
    processes.require_same(
        "list, or other options of training,", sha256(repr(said).encode()).digest()
    )


def tell(state: TrainState, step: int, reason: str | None) -> None:
    """Give the other processes the state of process 0, its step, and whether training has ended."""
    processes.from_first((state, np.array(step), np.array(reason is not None)))


def told(state: TrainState) -> tuple[TrainState, int, bool]:
    """Return the state, the step and whether training has ended, as process 0 tells them.

    `state` has the same shapes.
    """
    state, step, ended = processes.from_first((state, np.array(0), np.array(False)))
    return state, int(step), bool(ended)
