"""Where a training run first came to a number that is not finite."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax

from mmjax import diagnostics, train
from mmjax.data import Data
from mmjax.model import Model, layer_names, named
from mmjax.train import Recipe, TrainState
from mmjax.train.loop import finite


def origin(model: Model, recipe: Recipe, state: TrainState, data: Data, bad: int) -> str:
    """Return where step `bad`, counted from a good `state`, first has a non-finite number.

    A layer of the forward pass; or, if the step before it left such a number, a gradient or an
    update of that step.
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
    """Return the inspection of the batch that the state's next step draws."""
    batch = train.draw_batch(model, recipe, state, data)
    return diagnostics.inspect(model, state.params, state.stats, batch)


def _first(arrays: Mapping[str, Any]) -> str | None:
    return next((name for name, array in arrays.items() if not finite(array)), None)
