"""A reading of the costly instruments in one jitted function, for use during training."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from mmjax import keys, train
from mmjax.data import Batch, Dataset
from mmjax.diagnostics.curvature import largest_ritz_value
from mmjax.diagnostics.record import activation_layers, activation_of, record
from mmjax.model import Model
from mmjax.train import Recipe, TrainState, step
from mmjax.train.optimizers import optimizer_of
from mmjax.train.recipe import with_hyper

BATCHES = 4  # whose gradients are compared
PRODUCTS = 6  # with the Hessian


class Reading(NamedTuple):
    """The figures of the instruments at one training state."""

    sharpness: Float[Array, ""]
    """Largest eigenvalue of the Hessian of one batch's loss, or slightly less: what `PRODUCTS`
    Lanczos iterations from the gradient find. `curvature.sharpness` is exact."""
    step_reach: Float[Array, ""]
    """As `curvature.step_reach`, for the next step and its batch."""
    gradient_signal: Float[Array, ""]
    """As `signal` in `noise.GradientNoise`, from `BATCHES` batches."""
    gradient_noise: Float[Array, ""]
    """As `noise` there. For the critical batch size, divide means over many readings: the signal of
    a single one is too uncertain."""
    participation_ratio: Float[Array, ""]
    """How many directions the outputs of a layer use, in the layer with the fewest: the squared sum
    of the covariance's eigenvalues over the sum of their squares. It needs no eigenvalues, so it is
    quicker than `rank.effective_rank`; it is lower, since it counts weak directions for less."""
    dead: Float[Array, ""]
    """Percent of the units that are dead on all batches, in the layer with most of them."""


@partial(jax.jit, static_argnums=(0, 1))
def read(model: Model, recipe: Recipe, state: TrainState, data: Dataset) -> Reading:
    """Return the reading of a training state, on the batches of its next `BATCHES` steps.

    The optimizer is that of the recipe, whose penalty is not included.
    """
    batches = _next_batches(recipe, state, data)
    first = jax.tree.map(lambda x: x[0], batches)
    flat, unravel = ravel_pytree(state.params)

    def gradient(there: Array, batch: Batch) -> tuple[Array, dict[str, Array]]:
        grads, outputs = jax.grad(_loss, has_aux=True)(unravel(there), model, state, batch)
        return ravel_pytree(grads)[0], outputs

    def product(vector: Array) -> Array:
        return jax.jvp(lambda there: gradient(there, first)[0], (flat,), (vector,))[1]

    grads, outputs = jax.vmap(gradient, (None, 0))(flat, batches)
    update = _update(model, recipe, state, first, unravel(grads[0]))
    after, _ = gradient(flat + update, first)
    signal, noise = _noise(grads, batches.contexts.shape[1])
    rows = {name: out.reshape(-1, out.shape[-1]) for name, out in outputs.items()}
    dead = [jnp.mean(jnp.all(activation_of(n).dead(out), axis=0)) for n, out in rows.items()]
    ratios = [_participation_ratio(out) for out in rows.values()]
    return Reading(
        sharpness=largest_ritz_value(product, grads[0], PRODUCTS),
        step_reach=-jnp.vdot(after, update) / jnp.vdot(grads[0], update),
        gradient_signal=signal,
        gradient_noise=noise,
        participation_ratio=jnp.min(jnp.stack(ratios)) if ratios else jnp.float32(jnp.nan),
        dead=100 * jnp.max(jnp.stack(dead)) if dead else jnp.float32(jnp.nan),
    )


def _update(
    model: Model, recipe: Recipe, state: TrainState, batch: Batch, grads: Any
) -> Float[Array, "size"]:
    """Return what the next step would add to the parameters."""

    def loss(params: Any) -> Array:
        return _loss(params, model, state, batch)[0]

    rule = optimizer_of(with_hyper(recipe, state.hyper))
    here = (state.opt_state, state.params, loss(state.params), loss)
    return ravel_pytree(step.update(rule, grads, *here)[0])[0]


def _participation_ratio(outputs: Float[Array, "batch features"]) -> Float[Array, ""]:
    """Return (sum of eigenvalues)² / sum of squared eigenvalues of the covariance; 0 if it is 0."""
    centred = outputs - outputs.mean(axis=0, keepdims=True)
    gram = centred @ centred.T if len(outputs) < outputs.shape[1] else centred.T @ centred
    squares = jnp.vdot(gram, gram)
    return jnp.square(jnp.trace(gram)) / jnp.where(squares > 0, squares, 1)


def _next_batches(recipe: Recipe, state: TrainState, data: Dataset) -> Batch:
    """Return the batches of the next steps, with a leading axis."""

    def batch(i: Array) -> Batch:
        return data.batch(data.draw(jax.random.fold_in(state.key, i), recipe.batch_size))

    return jax.lax.map(batch, state.step + jnp.arange(BATCHES))


def _loss(
    params: Any, model: Model, state: TrainState, batch: Batch
) -> tuple[Array, dict[str, Array]]:
    """Return the loss of a training batch, and the outputs of the activation layers."""
    changed, key = with_hyper(model, state.hyper), keys.of_layers(state.key, state.step)
    logits, outputs = record(changed, params, state.stats, batch.contexts, train=True, key=key)
    kept = {name: outputs[name] for _, name in activation_layers(model)}
    return train.cross_entropy(logits, batch.targets, batch.weights), kept


def _noise(grads: Float[Array, "batches size"], batch_size: int) -> tuple[Array, Array]:
    """Return the signal and the noise."""
    # Sums written out, and a product with ones, are ten times as fast as sums over an axis here.
    mean = sum(grads) / len(grads)
    var = sum(jnp.square(each - mean) for each in grads) / (len(grads) - 1)
    noise = jnp.vdot(var, jnp.ones_like(var))  # of a batch
    return jnp.vdot(mean, mean) - noise / len(grads), batch_size * noise
