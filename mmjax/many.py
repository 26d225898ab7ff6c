"""Many models at once: one training state for every seed or learning rate, spread over the devices that are there.

The functions are those of `train` with a leading axis of members on states, losses and what is observed. Every
member is trained as it would be alone, to rounding: the members know nothing of one another. A core of a CPU takes
its members one after the other, an accelerator all of them at once.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, ArrayLike, Float, Key

from mmjax import batches, train
from mmjax.batches import Data
from mmjax.errors import require
from mmjax.model import Model
from mmjax.static import Static
from mmjax.train import Config, Observer, Optimizer, Recipe, TrainState


def init(
    model: Model,
    recipe: Recipe,
    keys: Key[Array, "members"],
    *,
    learning_rates: Float[ArrayLike, "members"] | None = None,
    optimizer: Optimizer | None = None,
) -> TrainState:
    """`train.init` for every one of `keys` [members].

    `learning_rates` take the place of the recipe's, each for its member, and fall at the same step by the same
    factor. Raises `InputError` if they are given with an `optimizer`, which has its own, or for a recipe whose rate is 0.
    """
    if learning_rates is not None:
        require(
            optimizer is None and isinstance(recipe, Config) and recipe.learning_rate > 0,
            "learning rates of each member need the built-in sgd and a recipe whose learning rate is not 0; "
            "with an optimizer of optax, put each member's rate into its opt_state (optax.inject_hyperparams)",
        )
        learning_rates = jnp.asarray(learning_rates, jnp.float32)
    devices = min(len(keys), jax.device_count())
    return _init(model, recipe, keys, learning_rates, optimizer=Static(optimizer), devices=devices)


@partial(jax.jit, static_argnames=("model", "recipe", "optimizer", "devices"))
def _init(
    model: Model,
    recipe: Any,
    keys: Array,
    learning_rates: Array | None,
    *,
    optimizer: Static[Optimizer | None],
    devices: int,
) -> TrainState:
    states = jax.vmap(lambda key: train.init(model, recipe, key, optimizer=optimizer.value))(keys)
    if learning_rates is not None:
        factors = learning_rates / recipe.learning_rate
        states = states._replace(opt_state=states.opt_state._replace(factor=factors))
    return _placed(states, devices)


def _mesh(devices: int) -> Mesh:
    return jax.make_mesh((devices,), ("members",), axis_types=(AxisType.Auto,))


def _placed(states: TrainState, devices: int) -> TrainState:
    """The states where every call leaves them, so that the next one finds them as it was compiled for."""
    even = len(states.step) % devices == 0
    each = PartitionSpec("members") if even else PartitionSpec()
    return jax.lax.with_sharding_constraint(states, NamedSharding(_mesh(devices), each))


def placed(states: TrainState) -> TrainState:
    """States from elsewhere, a checkpoint say, spread over the devices as `init` leaves them."""
    return _place(states, _devices(states))


_place = jax.jit(_placed, static_argnums=1)


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
    """Call `train.advance` for every member: (new states, losses [members, steps]).

    With `observe`, the second value is (losses, observed). The states are donated.
    """
    batches.require_fit(data, model)
    return _advance(
        *(model, recipe, states, data),
        steps=steps,
        optimizer=Static(optimizer),
        observe=Static(observe),
        devices=_devices(states),
        at_once=_at_once(),
    )


def members(states: TrainState) -> list[TrainState]:
    """The state of each member on the first device, to go on with as one of `train`."""
    return [jax.device_put(state, jax.devices()[0]) for state in _unstack(states)]


def _devices(states: TrainState) -> int:
    return min(len(states.step), jax.device_count())


def _at_once() -> bool:
    # A core has no arithmetic to spare: two networks of the document's size take by `vmap` 10 % longer than in turn, with
    # batches of 256 half as long again. Only networks of about 20 units a layer gain from it on a CPU.
    return jax.default_backend() != "cpu"


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
        return train.scan(
            *(model, recipe, state, data),
            steps=steps,
            optimizer=optimizer.value,
            observe=observe.value,
        )

    def in_turn(states: TrainState, data: Any) -> tuple[TrainState, Any]:
        return jax.lax.map(lambda state: run(state, data), states)

    # Every device takes as many members; where they do not come out even, copies of the last one fill up.
    count = len(states.step)
    missing = -count % devices
    filled = jax.tree.map(lambda x: jnp.concatenate([x, *[x[-1:]] * missing]), states)
    each, whole = PartitionSpec("members"), PartitionSpec()
    out = jax.shard_map(
        jax.vmap(run, in_axes=(0, None)) if at_once else in_turn,
        mesh=_mesh(devices),
        in_specs=(each, whole),
        out_specs=each,
        check_vma=False,
    )(filled, data)
    states, said = jax.tree.map(lambda x: x[:count], out)
    return _placed(states, devices), said


@jax.jit
def _unstack(states: TrainState) -> list[TrainState]:
    return [jax.tree.map(lambda x: x[i], states) for i in range(len(states.step))]  # noqa: B023
