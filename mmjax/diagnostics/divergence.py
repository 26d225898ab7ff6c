"""The place of the first non-finite number in a training run."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax

from mmjax import diagnostics, keys, train
from mmjax.data import Data
from mmjax.model import Model, layer_names, named
from mmjax.train import Recipe, TrainState
from mmjax.train.loop import finite


def origin(model: Model, recipe: Recipe, state: TrainState, data: Data, bad: int) -> str:
    """Return the name of the first place with a non-finite number.

    `bad` is the number of steps from `state`, which is finite, to the failing step. If that step
    begins with finite numbers, the place is the first non-finite layer of its forward pass, or the
    loss. Else it is in the step before: a gradient, an update, a running statistic or the
    optimizer.
    """

    def after(steps: int) -> TrainState:
        return train.advance(model, recipe, train.copied(state), data, steps=steps)[0]

    there = after(bad) if bad else state
    layers = layer_names(model)
    if finite((there.params, there.stats, there.opt_state)):
        outputs = inspect_next(model, recipe, there, data).outputs
        return _first({name: outputs[name] for name in layers if name in outputs}) or "the loss"
    before = inspect_next(model, recipe, after(bad - 1), data)
    backwards = {name: before.output_grads[name] for name in layers[::-1] if name in before.outputs}
    places = {
        "the gradient at": _first(backwards),
        "the gradient of": _first(named(before.grads)),
        "the update of": _first(named(there.params)),
        "the running statistics of": _first(named(there.stats)),
    }
    return next((f"{what} {name}" for what, name in places.items() if name), "the optimizer")


@partial(jax.jit, static_argnums=(0, 1))
def inspect_next(
    model: Model, recipe: Recipe, state: TrainState, data: Data
) -> diagnostics.Inspection:
    """Inspect the batch that the next step of `state` draws."""
    batch = train.draw_batch(model, recipe, state, data)
    key = keys.of_layers(state.key, state.step)
    return diagnostics.inspect(model, state.params, state.stats, batch, key)


def _first(arrays: Mapping[str, Any]) -> str | None:
    return next((name for name, array in arrays.items() if not finite(array)), None)
