"""A run of training steps as one jitted scan."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from mmjax import data as datasets
from mmjax import keys
from mmjax.data import Batch, Data, Dataset
from mmjax.data.dataset import draw_ahead, together
from mmjax.model import Model, require_model
from mmjax.static import Static
from mmjax.train.optimizers import Optimizer
from mmjax.train.recipe import Recipe
from mmjax.train.step import TrainState, init, step_with_updates

Observer = Callable[[Any, Any], Any]


def run(
    model: Model,
    recipe: Recipe,
    key: PRNGKeyArray,
    data: Data,
    *,
    optimizer: Optimizer | None = None,
) -> tuple[TrainState, Float[Array, "steps"]]:
    """Train from the first step to the last.

    Returns (final state, losses [steps]), which depend on nothing but the arguments. A loss is in
    nats per character, plus the recipe's penalty. `data` is a flat array of tokens, from which the
    recipe draws, or a `data.Dataset`. An optax `optimizer` replaces the recipe's. For many runs at
    once, on all devices, see `members`.

    Raises `InputError` if `data` has no example, or does not fit the model.
    """
    state = init(model, recipe, key, optimizer=optimizer)
    data = datasets.of(recipe.data, data, model, noise=recipe.noise)
    static = {"optimizer": Static(optimizer), "observe": Static(None)}
    return _run(model, recipe, state, data, steps=recipe.steps, **static)


def advance(
    model: Model,
    recipe: Recipe,
    state: TrainState,
    data: Data,
    *,
    steps: int,
    optimizer: Optimizer | None = None,
    observe: Observer | None = None,
) -> tuple[TrainState, Any]:
    """Train for `steps` more steps.

    Returns (new state, losses [steps]). A loss is in nats per character, plus the recipe's penalty.
    With `observe`, the second value is (losses, observed), where `observed` is what
    `observe(params, updates)` returns for every step, with a leading axis of steps. `params` are
    those after the step, as in the lecture, and `updates` are what the step added to them.
    Observing does not change the training.

    The state is donated: the new state takes over its buffers. So use the returned state, and keep
    an older one with `copied(state)`. A run in pieces of even numbers of steps is bitwise equal to
    the run in one piece. Odd pieces differ by rounding, since two steps are compiled as one. Equal
    optimizers compile once, even if they are written inline (see `static`).
    """
    require_model(model)
    data = datasets.of(recipe.data, data, model, noise=recipe.noise)
    static = {"optimizer": Static(optimizer), "observe": Static(observe)}
    return _advance(model, recipe, state, data, steps=steps, **static)


def draw_batch(model: Model, recipe: Recipe, state: TrainState, data: Data) -> Batch:
    """Return the batch of the state's next step."""
    data = datasets.of(recipe.data, data, model, noise=recipe.noise)
    key = jax.random.fold_in(state.key, state.step)
    return data.batch(data.draw(key, recipe.batch_size))


def scan(
    model: Model,
    recipe: Recipe,
    state: TrainState,
    data: Dataset,
    *,
    steps: int,
    optimizer: Optimizer | None = None,
    observe: Observer | None = None,
) -> tuple[TrainState, Any]:
    """Train as `advance` does, but without `jit`.

    Call it inside your own jitted function.
    """
    if isinstance(data, datasets.Sharded):
        each = partial(scan, model, recipe, steps=steps, optimizer=optimizer, observe=observe)
        return datasets.on_each_device(each, state, data)

    def step(state: TrainState, drawn: Any) -> tuple[TrainState, Any]:
        new, loss, updates = step_with_updates(model, recipe, state, data.batch(drawn), optimizer)
        return new, (loss, observe(new.params, updates)) if observe else loss

    def several(state: TrainState, _: None, *, steps: int) -> tuple[TrainState, Any]:
        def draw(step: Array) -> Any:
            key, later = (jax.random.fold_in(state.key, i) for i in (step, step + steps))
            return draw_ahead(data, key, later, recipe.batch_size)

        # Drawing the batches together saves 10 % of a step. If each step cut its own windows, XLA
        # would treat it as reading the whole list and share it among threads, which is slower for
        # a long list. Two steps per pass of the loop avoid copies of the weights and save 25 %.
        drawn = keys.batched(draw, state.key)(state.step + jnp.arange(steps))
        return jax.lax.scan(step, state, drawn, length=steps, unroll=2)

    most = together(recipe.batch_size, model.block_size)
    if steps < most:
        return several(state, None, steps=steps)
    # Equal groups, so that a dataset on a disk can read the next one ahead.
    groups = -(-steps // most)
    at_once = 2 * -(-steps // (2 * groups))
    whole, rest = divmod(steps, at_once)
    state, out = jax.lax.scan(partial(several, steps=at_once), state, length=whole)
    out = jax.tree.map(jnp.concatenate, out)
    if rest:
        state, last = several(state, None, steps=rest)
        out = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), out, last)
    return state, out


def _scan(
    model: Model,
    recipe: Recipe,
    state: TrainState,
    data: Any,
    *,
    steps: int,
    optimizer: Static[Optimizer | None],
    observe: Static[Observer | None],
) -> tuple[TrainState, Any]:
    plain = {"optimizer": optimizer.value, "observe": observe.value}
    return scan(model, recipe, state, data, steps=steps, **plain)


_STATIC = ("model", "recipe", "steps", "optimizer", "observe")
_run = jax.jit(_scan, static_argnames=_STATIC)
_advance = jax.jit(_scan, static_argnames=_STATIC, donate_argnames="state")


@jax.jit
def copied(state: TrainState) -> TrainState:
    """Return a copy of the state in its own memory.

    Donating the original to `advance` does not affect the copy. So the best state so far can be
    kept: `best = train.copied(state)`.
    """
    return jax.tree.map(jnp.copy, state)
