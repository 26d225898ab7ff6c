"""Entries with the lecture's network, which learns the list or what counting makes of it."""

import jax
import numpy as np
import optax

from experiments.speedruns.batches import taught
from experiments.speedruns.course import Course
from mmjax import Predictor, counting, mlp, train
from mmjax.counting import smoothing
from mmjax.data import ContextTable, context_table
from mmjax.static import Static
from mmjax.train import Optimizer, Recipe


def of_counting(
    recipe: Recipe,
    course: Course,
    seed: int,
    *,
    optimizer: Optimizer | None = None,
    even: bool = True,
    power: float = 1.0,
    cores: int = 1,
) -> Predictor:
    """Train on what Kneser-Ney predicts after each context of the list.

    Batches are `even` or drawn at random. Even ones have contexts by their frequency to a `power`,
    and weigh them so that the gradient is that of the list. Each of the `cores` takes its share of
    every batch.
    """
    model = mlp.MLP(vocab_size=course.vocab_size)
    table = smoothed(course, model.block_size)
    key = jax.random.key(seed)
    if not even:
        state, _ = train.run(model, recipe, key, table, optimizer=optimizer)
    else:
        cores = min(cores, jax.device_count())
        state = taught(model, recipe, key, table, Static(optimizer), power, cores)
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
