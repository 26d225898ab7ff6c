"""Discounts of Kneser-Ney with the lowest validation loss, by gradient descent."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Integer

from mmjax.counting import tree as trees
from mmjax.counting.smoothing import LARGEST, adjusted, by_formula
from mmjax.counting.tree import Tree
from mmjax.errors import require
from mmjax.train import minimize

STEPS = 40  # of L-BFGS; on the lecture's list the loss then falls by less than 1e-6 a step
NEAREST = 1e-3  # how near to an end of its range a discount starts, as a share of the range


class Chain(NamedTuple):
    """Distinct pairs of context and next token, with their counts at every level."""

    counts: Float[Array, "levels pairs"]
    """How often the token follows the context."""
    kind: Float[Array, "levels pairs 3"]
    """1 at the discount of that count: of 1, 2, or 3 or more."""
    kinds: Float[Array, "levels pairs 3"]
    """How many tokens after the context take each discount."""
    total: Float[Array, "levels pairs"]
    """How often the context occurs."""
    seen: Bool[Array, "levels pairs"]
    """Whether the context occurs at all."""
    weight: Float[Array, "pairs"]
    """Share of the examples that are this pair."""


def tune(
    tokens: Integer[np.ndarray, "tokens"],
    validation: Integer[np.ndarray, "validation"],
    vocab_size: int,
    order: int,
) -> Float[np.ndarray, "levels 3"]:
    """Return the discounts for `fit` with the lowest validation loss.

    `tokens` and `validation` are flat arrays. Raises `InputError` as `tree.grow` does, and if
    `validation` has no example.
    """
    return tune_tree(trees.grow(tokens, vocab_size, order), validation)


def tune_tree(
    tree: Tree, validation: Integer[np.ndarray, "validation"]
) -> Float[np.ndarray, "levels 3"]:
    """Return the discounts for `of_tree` with the lowest validation loss."""
    start = np.clip(by_formula(adjusted(tree)) / LARGEST, NEAREST, 1 - NEAREST)
    raw = jnp.asarray(np.log(start / (1 - start)), jnp.result_type(float))
    chain = chain_of(tree, validation)
    of_list = partial(loss, vocab_size=tree.vocab_size)
    raw, _ = minimize(of_list, optax.lbfgs(), raw, chain, steps=STEPS)
    return np.asarray(discounts_of(raw), np.float64)


def chain_of(tree: Tree, tokens: Integer[np.ndarray, "tokens"]) -> Chain:
    """Return the pairs of `tokens`, a flat array, with their counts in `tree`.

    Raises `InputError` if there is no example.
    """
    require(len(tokens) > 1, "there is no example to tune on; encode at least one name")
    following = tokens[1:].astype(np.int64)
    levels = []
    for counts, (node, seen) in zip(adjusted(tree), trees.walk(tree, tokens), strict=True):
        kinds = np.stack([(counts == 1).sum(1), (counts == 2).sum(1), (counts > 2).sum(1)], axis=1)
        count = np.where(seen, counts[node, following], 0)
        kind = np.minimum(count, 3)[:, None] == np.arange(1, 4)
        levels.append((count, kind, kinds[node], counts.sum(axis=1)[node], seen))
    # Examples with the same known context and the same next token have the same probability.
    _, first, times = np.unique(
        trees.rows(tree, tokens) * tree.vocab_size + following,
        return_index=True,
        return_counts=True,
    )
    own, kind, kinds, total, seen = (np.stack(part)[:, first] for part in zip(*levels, strict=True))
    floats = [jnp.asarray(part, jnp.result_type(float)) for part in (own, kind, kinds, total)]
    weight = jnp.asarray(times / times.sum(), jnp.result_type(float))
    return Chain(floats[0], floats[1], floats[2], floats[3], jnp.asarray(seen), weight)


def discounts_of(raw: Float[Array, "levels 3"]) -> Float[Array, "levels 3"]:
    """Return the discounts that unbounded numbers stand for."""
    return jnp.asarray(LARGEST, raw.dtype)[None, :] * jax.nn.sigmoid(raw)


def loss(raw: Float[Array, "levels 3"], chain: Chain, vocab_size: int) -> Float[Array, ""]:
    """Return the mean negative log-likelihood of the pairs of a chain, in nats."""

    def above(lower: Array, level: tuple[Array, ...]) -> tuple[Array, None]:
        discounts, count, kind, kinds, total, seen = level
        probs = (count - kind @ discounts + (kinds @ discounts) * lower) / total
        return jnp.where(seen, probs, lower), None

    uniform = jnp.full_like(chain.weight, 1 / vocab_size)
    probs, _ = jax.lax.scan(above, uniform, (discounts_of(raw), *chain[:5]))
    return -jnp.sum(chain.weight * jnp.log(probs))
