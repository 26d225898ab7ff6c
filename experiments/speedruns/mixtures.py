"""Entries that mix networks with counting."""

from dataclasses import replace

import jax

from experiments.speedruns.course import Course
from mmjax import Predictor, counting, data, members, mlp, train
from mmjax.train import Recipe


def of_networks_and_counting(
    model: mlp.MLP,
    recipe: Recipe,
    networks: int,
    orders: tuple[int, ...],
    course: Course,
    seed: int,
) -> Predictor:
    """Train networks, count, and mix them all with weights fitted on the validation part."""
    model = replace(model, vocab_size=course.vocab_size)
    keys = jax.random.split(jax.random.key(seed), networks)
    states = members.init(model, recipe, keys)
    examples = data.of(recipe.data, course.tokens, model)
    # JAX returns at once, so the host counts while the networks train.
    states, _ = members.advance(model, recipe, states, examples, steps=recipe.steps)
    counted = of_orders(orders, course)
    trained = [train.predictor(model, state) for state in members.unstack(states)]
    return counting.geometric([*trained, *counted], course.val, positions=model.block_size + 1)


def of_counting(orders: tuple[int, ...], positions: int, course: Course, seed: int) -> Predictor:
    """Mix counted models with weights fitted on the validation part; nothing is random."""
    del seed
    return counting.geometric(of_orders(orders, course), course.val, positions=positions)


def of_orders(orders: tuple[int, ...], course: Course) -> list[Predictor]:
    """Return Kneser-Ney with these lengths of context, discounts by formula."""
    tree = counting.grow(course.tokens, course.vocab_size, max(orders))
    return [counting.of_tree(tree.cut(order)) for order in orders]
