"""Training: manual SGD with step decay, one step, and a run of steps as one jitted scan."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Integer, PRNGKeyArray

from mmjax import batches
from mmjax.batches import Data, Targets
from mmjax.errors import require_ranges
from mmjax.model import Model, require_model
from mmjax.static import Static


@jax.tree_util.register_static
@dataclass(frozen=True)
class Config:
    """How to train by SGD with step decay; the defaults are the document's."""

    steps: int = 200_000
    """Number of training steps."""
    batch_size: int = 32
    """Examples in a step, drawn with replacement."""
    learning_rate: float = 0.1
    """Learning rate of the first steps."""
    drop_step: int = 100_000
    """The step from which the learning rate is lower."""
    drop_factor: float = 0.1
    """What the learning rate is multiplied by from then on."""

    def __post_init__(self):
        """Raise `InputError` if a number is out of range."""
        require_ranges(
            self,
            steps=(0, 2**31 - 1),
            batch_size=(2, 2**20),  # one row alone has no variance
            learning_rate=(0.0, 1e6),
            drop_step=(0, 2**31 - 1),
            drop_factor=(0.0, 1e6),
        )

    def schedule(self) -> optax.Schedule:
        """`step_decay`."""
        return step_decay(self)

    def optimizer(self) -> optax.GradientTransformation:
        """`sgd`."""
        return sgd(self.schedule())


@jax.tree_util.register_static
@dataclass(frozen=True)
class Fast:
    """How to train in seconds, on `contexts.Contexts`: NAdamW, whose rate rises and then falls to 0.

    Dozat, Incorporating Nesterov Momentum into Adam (https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ);
    Loshchilov and Hutter, Decoupled Weight Decay Regularization (https://arxiv.org/abs/1711.05101).
    """

    steps: int = 3_000
    """Number of training steps."""
    batch_size: int = 256
    """Contexts in a step, drawn with replacement."""
    learning_rate: float = 0.02
    """The highest learning rate."""
    warmup: int = 100
    """Steps in which the learning rate rises from 0; from there it falls to 0 in a straight line."""
    weight_decay: float = 0.1
    """Times the learning rate: the part of each parameter that is taken off it in a step."""

    def __post_init__(self):
        """Raise `InputError` if a number is out of range."""
        require_ranges(
            self,
            steps=(0, 2**31 - 1),
            batch_size=(2, 2**20),  # one row alone has no variance
            learning_rate=(0.0, 1e6),
            warmup=(0, 2**31 - 1),
            weight_decay=(0.0, 1e6),
        )

    def schedule(self) -> optax.Schedule:
        """From 0 up to `learning_rate` in `warmup` steps, and down to 0 behind the last one."""
        warmup = min(self.warmup, self.steps)
        up = optax.linear_schedule(0.0, self.learning_rate, warmup)
        down = optax.linear_schedule(self.learning_rate, 0.0, max(1, self.steps - warmup))
        return optax.join_schedules([up, down], [warmup])

    def optimizer(self) -> optax.GradientTransformation:
        """`optax.nadamw`."""
        return optax.nadamw(self.schedule(), b2=0.99, weight_decay=self.weight_decay)


Recipe = Config | Fast
Observer = Callable[[Any, Any], Any]
Optimizer = optax.GradientTransformation | optax.GradientTransformationExtraArgs


class SGDState(NamedTuple):
    """The number of updates made so far, which the schedule is a function of, and a factor on what it gives.

    The factor is 1, unless `many` trains at several learning rates at once.
    """

    step: Int[Array, ""]
    factor: Float[Array, ""]


class TrainState(NamedTuple):
    """All that the next step needs. `key` never changes: step i draws its batch with fold_in(key, i)."""

    step: Int[Array, ""]
    params: Any
    stats: Any
    opt_state: Any
    key: PRNGKeyArray


def step_decay(config: Config) -> optax.Schedule:
    """learning_rate before `drop_step`, learning_rate * drop_factor from that step on."""
    before, after = config.learning_rate, config.learning_rate * config.drop_factor
    return lambda step: jnp.where(jnp.asarray(step) < config.drop_step, before, after)


def sgd(schedule: optax.Schedule) -> optax.GradientTransformation:
    """Gradient descent in the shape of any optax optimizer: updates = -schedule(step) * gradients."""

    update = partial(_sgd_update, schedule)
    return optax.GradientTransformation(_sgd_init, update)  # pyright: ignore[reportArgumentType]


def _sgd_init(params: Any) -> SGDState:
    del params
    return SGDState(jnp.zeros((), jnp.int32), jnp.ones(()))


def _sgd_update(
    schedule: optax.Schedule, grads: Any, state: SGDState, params: Any = None
) -> tuple[Any, SGDState]:
    del params
    rate = state.factor * schedule(state.step)
    updates = jax.tree.map(lambda g: -jnp.asarray(rate, g.dtype) * g, grads)
    return updates, SGDState(state.step + 1, state.factor)


def cross_entropy(
    logits: Float[Array, "batch vocab"],
    targets: Targets,
) -> Float[Array, ""]:
    """Mean negative log-likelihood of the targets, tokens or distributions of them, in nats."""
    if targets.ndim == 2:
        return optax.softmax_cross_entropy(logits, targets).mean()
    return optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean()


def train_step(
    model: Model,
    optimizer: Optimizer,
    state: TrainState,
    contexts: Integer[Array, "batch block_size"],
    targets: Targets,
) -> tuple[TrainState, Float[Array, ""]]:
    """One step on one batch: (new state, the batch's loss before the step in nats)."""
    state, loss, _ = _step(model, optimizer, state, contexts, targets)
    return state, loss


def _step(
    model: Model,
    optimizer: Optimizer,
    state: TrainState,
    contexts: Array,
    targets: Array,
) -> tuple[TrainState, Array, Any]:
    def loss(params: Any) -> tuple[Array, Any]:
        logits, stats = model.apply(params, state.stats, contexts, train=True)
        return cross_entropy(logits, targets), stats

    def value_fn(params: Any) -> Array:
        return loss(params)[0]

    (value, stats), grads = jax.value_and_grad(loss, has_aux=True)(state.params)
    updates, opt_state = _update(optimizer, grads, state.opt_state, state.params, value, value_fn)
    params = optax.apply_updates(state.params, updates)
    return TrainState(state.step + 1, params, stats, opt_state, state.key), value, updates


def draw_batch(
    model: Model, recipe: Recipe, state: TrainState, data: Data
) -> tuple[Integer[Array, "batch block_size"], Targets]:
    """(contexts, targets) of the state's next step, drawn with replacement."""
    sizes = (recipe.batch_size, model.block_size)
    return batches.examples(data, batches.draw(data, *sizes, state.key, state.step))


def init(
    model: Model,
    recipe: Recipe,
    key: PRNGKeyArray,
    *,
    optimizer: Optimizer | None = None,
) -> TrainState:
    """Return the state before the first step: parameters and batches both follow from `key`.

    Raises `InputError` if `model` does not follow the protocol `model.Model`.
    """
    require_model(model)
    return _init(model, recipe, key, optimizer=Static(optimizer))


@partial(jax.jit, static_argnames=("model", "recipe", "optimizer"))
def _init(
    model: Model, recipe: Recipe, key: PRNGKeyArray, *, optimizer: Static[Optimizer | None]
) -> TrainState:
    init_key, batch_key = jax.random.split(key)
    params, stats = model.init(init_key)
    opt_state = (optimizer.value or recipe.optimizer()).init(params)
    return TrainState(jnp.zeros((), jnp.int32), params, stats, opt_state, batch_key)


def run(
    model: Model,
    recipe: Recipe,
    key: PRNGKeyArray,
    data: Data,
    *,
    optimizer: Optimizer | None = None,
) -> tuple[TrainState, Float[Array, "steps"]]:
    """Train from the first step to the last: (final state, each step's loss in nats).

    One pure function of `key`. `data` is a flat array of tokens, or its `contexts.collect`. Any
    optax `optimizer` takes the place of the recipe's. For many runs at once, on all devices, see
    `many`. Raises `InputError` if `data` has no example, or does not fit the model.
    """
    state = init(model, recipe, key, optimizer=optimizer)
    batches.require_fit(data, model)
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
    """Train for `steps` more steps: (new state, each step's loss in nats [steps]).

    With `observe`, the second value is (losses, observed), where `observed` is what
    `observe(params, updates)` returns for every step, with a leading axis of steps. `params` are
    those after the step, as in the lecture, and `updates` what it added to them. Observing does not
    change the training.

    The state is donated: its buffers become the new state's, so go on with the returned one, and
    keep an older one with `copied(state)`. A run in pieces of even numbers of steps is bitwise the
    run in one; odd ones differ by rounding, since two steps are compiled as one. Equal optimizers
    compile once, also if they are written inline (see `static`).
    """
    require_model(model)
    batches.require_fit(data, model)
    static = {"optimizer": Static(optimizer), "observe": Static(observe)}
    return _advance(model, recipe, state, data, steps=steps, **static)


def scan(
    model: Model,
    recipe: Recipe,
    state: TrainState,
    data: Any,
    *,
    steps: int,
    optimizer: Optimizer | None = None,
    observe: Observer | None = None,
) -> tuple[TrainState, Any]:
    """Train as `advance` does, without compiling: for a program that compiles it as a part."""
    optimizer = optimizer or recipe.optimizer()
    sizes = (recipe.batch_size, model.block_size)

    def step(state: TrainState, drawn: Array) -> tuple[TrainState, Any]:
        batch = batches.examples(data, drawn)
        new, loss, updates = _step(model, optimizer, state, *batch)
        return new, (loss, observe(new.params, updates)) if observe else loss

    def several(state: TrainState, _: None, *, steps: int) -> tuple[TrainState, Any]:
        draw = jax.vmap(lambda step: batches.draw(data, *sizes, state.key, step))
        # Drawn together the batches cost a tenth of the step less. A step that cut its windows itself would count
        # as one that reads the whole list, which XLA shares among threads, at a loss, where it is long. And two
        # steps in one pass of the loop save copies of the weights: a quarter.
        return jax.lax.scan(step, state, draw(state.step + jnp.arange(steps)), unroll=2)

    together = batches.together(*sizes)
    whole, rest = divmod(steps, together)
    if not whole:
        return several(state, None, steps=rest)
    state, out = jax.lax.scan(partial(several, steps=together), state, length=whole)
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
    """Return the same state in memory of its own, which `advance` leaves alone.

    For the best state so far: `best = train.copied(state)`.
    """
    return jax.tree.map(jnp.copy, state)


def descend(
    loss: Callable[..., Float[Array, ""]],
    optimizer: Optimizer,
    params: Any,
    *args: Any,
    steps: int,
) -> tuple[Any, Float[Array, "steps"]]:
    """Minimise `loss(params, *args)` over the full batch: (new parameters, each step's loss)."""
    return _descend(Static(loss), Static(optimizer), params, *args, steps=steps)


@partial(jax.jit, static_argnames=("loss", "optimizer", "steps"))
def _descend(
    loss: Static[Callable[..., Array]],
    optimizer: Static[Optimizer],
    params: Any,
    *args: Any,
    steps: int,
) -> tuple[Any, Array]:
    def body(carry: tuple[Any, Any], _: None) -> tuple[tuple[Any, Any], Array]:
        params, opt_state = carry
        value_fn = partial(_of_params, loss.value, args)
        value, grads = jax.value_and_grad(value_fn)(params)
        updates, opt_state = _update(optimizer.value, grads, opt_state, params, value, value_fn)
        return (optax.apply_updates(params, updates), opt_state), value

    carry = params, optimizer.value.init(params)
    (params, _), losses = jax.lax.scan(body, carry, length=steps)
    return params, losses


def _of_params(loss: Callable[..., Array], args: tuple[Any, ...], params: Any) -> Array:
    return loss(params, *args)


def _update(
    optimizer: Optimizer,
    grads: Any,
    opt_state: Any,
    params: Any,
    value: Array,
    value_fn: Callable[[Any], Array],
) -> tuple[Any, Any]:
    """Call `optimizer.update` with the extra arguments that optax defines, for those that ask."""
    extra = {"value": value, "grad": grads, "value_fn": value_fn}
    return optax.with_extra_args_support(optimizer).update(grads, opt_state, params, **extra)
