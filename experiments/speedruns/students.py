"""Entries with the lecture's network, which learns the list or what counting makes of it."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array

from experiments.speedruns.course import Course
from mmjax import Predictor, counting, data, mlp, train
from mmjax.counting import smoothing
from mmjax.data import ContextTable, context_table
from mmjax.static import Static
from mmjax.train import Optimizer, Recipe

GOLDEN = (5**0.5 - 1) / 2  # multiples of it, without their whole part, cover 0 to 1 evenly
CORES = "cores"


def of_list(recipe: Recipe, course: Course, seed: int) -> Predictor:
    """Train on the contexts of the list by a recipe of the library."""
    model = mlp.MLP(vocab_size=course.vocab_size)
    examples = data.of(recipe.data, course.tokens, model)
    state, _ = train.run(model, recipe, jax.random.key(seed), examples)
    return train.predictor(model, state)


def of_counting(
    recipe: Recipe,
    course: Course,
    seed: int,
    *,
    optimizer: Optimizer | None = None,
    even: bool = True,
    cores: int = 1,
) -> Predictor:
    """Train on what Kneser-Ney predicts after each context of the list.

    Batches are `even` or drawn at random. Each of the `cores` takes its share of every batch.
    """
    model = mlp.MLP(vocab_size=course.vocab_size)
    table = smoothed(course, model.block_size)
    key = jax.random.key(seed)
    if not even:
        state, _ = train.run(model, recipe, key, table, optimizer=optimizer)
    else:
        cores = min(cores, jax.device_count())
        state = taught(model, recipe, key, table, Static(optimizer), cores)
    return train.predictor(model, state)


def smoothed(course: Course, order: int) -> ContextTable:
    """Return the contexts of the list with their distributions by Kneser-Ney.

    The discounts are those of the formula. The contexts are in the order of the tree: by their last
    letter, then by the one before.
    """
    tree = counting.grow(course.tokens, course.vocab_size, order)
    counts = smoothing.adjusted(tree)
    *_, probs = smoothing.probabilities(tree, counts, smoothing.by_formula(counts))
    node, letters = np.arange(len(probs)), []
    for codes in reversed(tree.codes):
        node, letter = np.divmod(codes[node], course.vocab_size)
        letters.append(letter)
    contexts = np.stack(letters, axis=1).astype(course.tokens.dtype)
    return context_table.weighted(contexts, tree.counts[-1].sum(axis=1, dtype=float), probs)


def even_rows(key: Array, ends: Array, steps: int, batch_size: int) -> Array:
    """Return the rows of a table for every step [steps, batch_size].

    A batch takes examples at equal distances, so it has each context nearly as often as the list.
    The first example moves from step to step, so that the steps cover the list evenly, too.
    """
    first = (jax.random.uniform(key) + GOLDEN * jnp.arange(steps, dtype=float)) % 1.0
    at = (jnp.arange(batch_size, dtype=float)[None, :] + first[:, None]) / batch_size
    rows = jnp.searchsorted(ends / ends[-1], at, side="right")
    return jnp.minimum(rows, len(ends) - 1)


@partial(jax.jit, static_argnames=("model", "recipe", "optimizer", "cores"))
def taught(
    model: mlp.MLP,
    recipe: Recipe,
    key: Array,
    table: ContextTable,
    optimizer: Static[Optimizer | None],
    cores: int,
) -> train.TrainState:
    """Return the state after training on even batches, each of them shared by the cores."""
    rule = optax.chain(shared_gradient(), optimizer.value or train.optimizer_of(recipe))
    state = train.init(model, recipe, key, optimizer=rule)
    rows = even_rows(state.key, table.ends, recipe.steps, recipe.batch_size)
    # Neighbouring examples go to different cores, so that every share is even.
    shares = rows.reshape(recipe.steps, -1, cores).transpose(2, 0, 1)

    def share(state: train.TrainState, rows: Array) -> train.TrainState:
        def step(state: train.TrainState, rows: Array) -> tuple[train.TrainState, Array]:
            return train.train_step(model, recipe, state, table.batch(rows), optimizer=rule)

        state, _ = jax.lax.scan(step, state, rows[0], unroll=2)
        return state._replace(stats=jax.lax.pmean(state.stats, CORES))

    mesh = Mesh(np.array(jax.devices()[:cores]), (CORES,))
    whole, each = PartitionSpec(), PartitionSpec(CORES)
    return jax.shard_map(
        share, mesh=mesh, in_specs=(whole, each), out_specs=whole, check_vma=False
    )(state, shares)


def shared_gradient() -> Optimizer:
    """Return the transformation that averages the gradients of the cores, in one message."""

    def average(grads: optax.Updates, _: optax.Params | None) -> optax.Updates:
        flat, unravel = ravel_pytree(grads)
        return unravel(jax.lax.pmean(flat, CORES))

    return optax.stateless(average)


def muon(recipe: Recipe, *, adam_rate: float, beta: float, ns_steps: int) -> Optimizer:
    """Return Muon with a learning rate of its own for what is no matrix.

    With the Schatten norm, three Newton-Schulz steps are enough.
    """
    schedule = train.schedule_of(recipe)
    return optax.contrib.muon(
        schedule,
        ns_steps=ns_steps,
        beta=beta,
        preconditioning="schatten",
        adam_b1=recipe.beta1,
        adam_b2=recipe.beta2,
        adam_learning_rate=lambda step: adam_rate / recipe.learning_rate * schedule(step),
    )
