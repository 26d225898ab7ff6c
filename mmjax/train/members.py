"""Many models at once: a population of members.

Members differ in their key or in numbers of the recipe. The functions are those of `train`, with a
leading axis of members on states, losses and observed values. Every member trains as it would
alone, up to rounding. The members are spread over the devices. A CPU core trains its members in
turn; an accelerator trains them all at once if their keys are threefry keys, else in turn.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from mmjax import data as datasets
from mmjax.data import Data
from mmjax.errors import require
from mmjax.keys import batched, exact_under_vmap
from mmjax.model import Model
from mmjax.static import Static
from mmjax.train import step
from mmjax.train.optimizers import Optimizer
from mmjax.train.placement import at_once, devices_for, for_each, spread
from mmjax.train.placement import placed as placed
from mmjax.train.placement import stack as stack
from mmjax.train.placement import states as states
from mmjax.train.placement import unstack as unstack
from mmjax.train.recipe import Recipe, require_hyper
from mmjax.train.step import TrainState
from mmjax.train.steps import Observer, scan


def init(
    model: Model,
    recipe: Recipe,
    keys: Key[Array, "members"],
    *,
    hyper: Mapping[str, Any] | None = None,
    optimizer: Optimizer | None = None,
) -> TrainState:
    """Return the states of `train.init` for every key [members].

    `hyper` replaces numbers of the recipe or the model by one number per member, such as
    `{"learning_rate": [0.1, 0.3]}`. `recipe.may_differ(model)` lists those that can. Raises
    `InputError` if it names another one, does not give one number per key, gives a weight decay to
    sgd, or comes with an `optimizer`, which would ignore it.
    """
    hyper = hyper or {}
    require_hyper(hyper, model)
    require(
        optimizer is None or not hyper,
        "hyper replaces numbers of the recipe, which your own optimizer does not "
        "see; put each member's into its opt_state (optax.inject_hyperparams)",
    )
    require(
        recipe.optimizer != "sgd" or "weight_decay" not in hyper,
        "sgd has no weight decay that could differ between members; give another optimizer",
    )
    for name, values in hyper.items():
        require(
            np.shape(values) == keys.shape,
            f"{name} has the shape {np.shape(values)}, not one number for each of {len(keys)} keys",
        )
    numbers = {name: jnp.asarray(values, jnp.float32) for name, values in hyper.items()}
    devices = min(len(keys), jax.device_count())
    return _init(model, recipe, keys, numbers, optimizer=Static(optimizer), devices=devices)


@partial(jax.jit, static_argnames=("model", "recipe", "optimizer", "devices"))
def _init(
    model: Model,
    recipe: Recipe,
    keys: Array,
    hyper: Mapping[str, Array],
    *,
    optimizer: Static[Optimizer | None],
    devices: int,
) -> TrainState:
    def one(key: Array, hyper: Mapping[str, Array]) -> TrainState:
        return step.init(model, recipe, key, hyper=hyper, optimizer=optimizer.value)

    return spread(batched(one, keys)(keys, hyper), devices)


def advance(
    model: Model,
    recipe: Recipe,
    states: TrainState,
    data: Data,
    *,
    steps: int,
    optimizer: Optimizer | None = None,
    observe: Observer | None = None,
) -> tuple[TrainState, Any]:
    """Call `train.advance` for every member.

    Returns (new states, losses [members, steps]). With `observe`, the second value is (losses,
    observed). The states are donated.
    """
    data = datasets.of(recipe.data, data, model, noise=recipe.noise)
    return _advance(
        *(model, recipe, states, data),
        steps=steps,
        optimizer=Static(optimizer),
        observe=Static(observe),
        devices=devices_for(states),
        at_once=at_once() and exact_under_vmap(states.key),
    )


@partial(
    jax.jit,
    static_argnames=(
        "model",
        "recipe",
        "steps",
        "optimizer",
        "devices",
        "at_once",
        "observe",
    ),
    donate_argnames="states",
)
def _advance(
    model: Model,
    recipe: Recipe,
    states: TrainState,
    data: Any,
    *,
    steps: int,
    optimizer: Static[Optimizer | None],
    devices: int,
    at_once: bool,
    observe: Static[Observer | None],
) -> tuple[TrainState, Any]:
    def run(state: TrainState, data: Any) -> tuple[TrainState, Any]:
        return scan(
            *(model, recipe, state, data),
            steps=steps,
            optimizer=optimizer.value,
            observe=observe.value,
        )

    states, said = for_each(run, states, data, devices=devices, at_once=at_once)
    return spread(states, devices), said
