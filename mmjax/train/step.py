"""One training step: a pure function from state and batch to the next state."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from mmjax import keys, spread
from mmjax.data import Batch, Targets
from mmjax.errors import require
from mmjax.model import Model, Predictor, parameter_count, require_model
from mmjax.static import Static
from mmjax.train.optimizers import Optimizer, optimizer_of
from mmjax.train.recipe import Recipe, with_hyper


class TrainState(NamedTuple):
    """Everything that the next step needs."""

    step: Int[Array, ""]
    params: Any
    stats: Any
    opt_state: Any
    ema: Any
    """Moving average of the parameters, or None."""
    key: PRNGKeyArray
    """Random key, which never changes: step i draws its batch with `fold_in(key, i)`."""
    hyper: Mapping[str, Array]
    """Numbers that replace the recipe's, and may differ between members."""


def init(
    model: Model,
    recipe: Recipe,
    key: PRNGKeyArray,
    *,
    hyper: Mapping[str, Array] | None = None,
    optimizer: Optimizer | None = None,
) -> TrainState:
    """Return the state before the first step.

    Parameters and batches both follow from `key`. `hyper` replaces numbers of the recipe, by their
    names in `HYPER`, or the model's. An `optimizer` replaces the recipe's, and every later step needs it, too.
    Raises `InputError` if `model` does not follow the protocol `model.Model`.
    """
    require_model(model)
    return _init(model, recipe, key, hyper or {}, optimizer=Static(optimizer))


@partial(jax.jit, static_argnames=("model", "recipe", "optimizer"))
def _init(
    model: Model,
    recipe: Recipe,
    key: PRNGKeyArray,
    hyper: Mapping[str, Array],
    *,
    optimizer: Static[Optimizer | None],
) -> TrainState:
    init_key, batch_key = jax.random.split(key)
    params, stats = with_hyper(model, hyper).init(init_key)
    rule = optimizer.value or optimizer_of(with_hyper(recipe, hyper))
    ema = jax.tree.map(jnp.copy, params) if recipe.ema_decay else None
    step = jnp.zeros((), jnp.int32)
    return TrainState(step, params, stats, rule.init(params), ema, batch_key, hyper)


def cross_entropy(
    logits: Float[Array, "batch vocab"],
    targets: Targets,
    weights: Float[Array, "batch"] | None = None,
) -> Float[Array, ""]:
    """Return the mean negative log-likelihood of the targets in nats.

    `targets` are tokens [batch] or distributions over tokens [batch, vocab]. With `weights`, which
    sum to 1, the result is the weighted sum instead of the mean.
    """
    if targets.ndim == 2:
        losses = optax.softmax_cross_entropy(logits, targets)
    else:
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
    return losses.mean() if weights is None else jnp.sum(weights * losses)


def train_step(
    model: Model,
    recipe: Recipe,
    state: TrainState,
    batch: Batch,
    *,
    optimizer: Optimizer | None = None,
) -> tuple[TrainState, Float[Array, ""]]:
    """Take one training step on one batch.

    Returns (new state, loss). The loss is that of the batch before the step, in nats per character,
    plus the recipe's penalty.
    """
    state, loss, _ = step_with_updates(model, recipe, state, batch, optimizer)
    return state, loss


def step_with_updates(
    model: Model,
    recipe: Recipe,
    state: TrainState,
    batch: Batch,
    optimizer: Optimizer | None,
) -> tuple[TrainState, Array, Any]:
    """Take one step and return its updates, too.

    Returns (new state, loss, updates); the updates are what was added to the parameters. If the
    batch is spread over devices, these are the same on each.
    """
    model, recipe = with_hyper(model, state.hyper), with_hyper(recipe, state.hyper)
    key = keys.of_layers(state.key, state.step)

    def loss(params: Any) -> tuple[Array, Any]:
        logits, stats = model.apply(params, state.stats, batch.contexts, train=True, key=key)
        require(
            not any(map(spread.is_spread, jax.tree.leaves(stats))),
            f"the statistics of {type(model).__name__} would differ between the devices; average "
            f"them over the mesh axis {spread.AXIS!r} (see mmjax.spread), or train on one device",
        )
        value = cross_entropy(logits, batch.targets, batch.weights)
        return value + _penalty(recipe, params), stats

    def value_fn(params: Any) -> Array:
        return spread.mean(loss(params)[0])

    own = spread.varying(state.params) if spread.is_spread(batch.contexts) else state.params
    (value, stats), grads = jax.value_and_grad(loss, has_aux=True)(own)
    value, grads = spread.mean((value, grads))
    rule = optimizer or optimizer_of(recipe)
    updates, opt_state = update(rule, grads, state.opt_state, state.params, value, value_fn)
    params = optax.apply_updates(state.params, updates)
    ema = state.ema
    if ema is not None:
        ema = optax.incremental_update(params, ema, 1 - recipe.ema_decay)
    new = TrainState(state.step + 1, params, stats, opt_state, ema, state.key, state.hyper)
    return new, value, updates


def _penalty(recipe: Recipe, params: Any) -> Array | float:
    if isinstance(recipe.penalty, float | int) and not recipe.penalty:
        return 0.0
    squares = sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(params))
    return recipe.penalty * squares / parameter_count(params)


def update(
    optimizer: Optimizer,
    grads: Any,
    opt_state: Any,
    params: Any,
    value: Array,
    value_fn: Callable[[Any], Array],
) -> tuple[Any, Any]:
    """Call `optimizer.update` with the extra arguments that optax defines.

    An optimizer that does not take them does not get them.
    """
    extra = {"value": value, "grad": grads, "value_fn": value_fn}
    return optax.with_extra_args_support(optimizer).update(grads, opt_state, params, **extra)


def starting_from(state: TrainState, start: Predictor) -> TrainState:
    """Return the state of `init` with other weights and statistics: those of `start`.

    The steps then continue the training of `start`, with an optimizer that begins anew.
    """
    ema = None if state.ema is None else jax.tree.map(jnp.copy, start.params)
    return state._replace(params=start.params, stats=start.stats, ema=ema)


def predictor(model: Model, state: TrainState) -> Predictor:
    """Return the trained model.

    It has the averaged parameters if the recipe keeps an average, else the last ones.
    """
    return Predictor(model, state.params if state.ema is None else state.ema, state.stats)
