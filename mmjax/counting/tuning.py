"""Discounts of Kneser-Ney with the lowest validation loss, by gradient descent."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Integer

from mmjax.counting import tree as trees
from mmjax.counting.smoothing import LARGEST, Discounts, adjusted, by_formula
from mmjax.counting.tree import Tree
from mmjax.errors import require
from mmjax.train import minimize

STEPS = 40  # of L-BFGS; on the lecture's list the loss then falls by less than 1e-6 a step
NEAREST = 1e-3  # how near to an end of its range a discount starts, as a share of the range
CONCENTRATION = 1.0  # at the start; 0 would never change
SPREAD = (
    5.0  # standard deviation of the prior of a discount's logit and a concentration's logarithm
)


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
) -> Discounts:
    """Return the discounts for `fit` with the lowest validation loss.

    `tokens` and `validation` are flat arrays. Raises `InputError` as `tree.grow` does, and if
    `validation` has no example.
    """
    return tune_tree(trees.grow(tokens, vocab_size, order), validation)


def tune_tree(tree: Tree, validation: Integer[np.ndarray, "validation"]) -> Discounts:
    """Return the discounts for `of_tree` with the lowest validation loss.

    A weak prior keeps them near the formula's where the validation part is short.
    """
    formula = by_formula(adjusted(tree)).by_count
    start = np.clip(formula / LARGEST, NEAREST, 1 - NEAREST)
    more = np.full((len(start), 1), np.log(CONCENTRATION))
    raw = jnp.asarray(np.hstack([np.log(start / (1 - start)), more]), jnp.result_type(float))
    chain = chain_of(tree, validation)
    objective = partial(_with_prior, vocab_size=tree.vocab_size, examples=len(validation) - 1)
    raw, _ = minimize(objective, optax.lbfgs(), raw, raw, chain, steps=STEPS)
    return Discounts(*(np.asarray(part, np.float64) for part in discounts_of(raw)))


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


def discounts_of(
    raw: Float[Array, "levels 4"],
) -> tuple[Float[Array, "levels 3"], Float[Array, "levels"]]:
    """Return the discounts and concentrations that unbounded numbers stand for."""
    largest = jnp.asarray(LARGEST, raw.dtype)[None, :]
    return largest * jax.nn.sigmoid(raw[:, :3]), jnp.exp(raw[:, 3])


def _with_prior(raw: Array, start: Array, chain: Chain, vocab_size: int, examples: int) -> Array:
    prior = jnp.sum(jnp.square((raw - start) / SPREAD)) / (2 * examples)
    return loss(raw, chain, vocab_size) + prior


def loss(raw: Float[Array, "levels 4"], chain: Chain, vocab_size: int) -> Float[Array, ""]:
    """Return the mean negative log-likelihood of the pairs of a chain, in nats."""

    def above(lower: Array, level: tuple[Array, ...]) -> tuple[Array, None]:
        discounts, more, count, kind, kinds, total, seen = level
        spread = (kinds @ discounts + more) * lower
        probs = (count - kind @ discounts + spread) / (total + more)
        return jnp.where(seen, probs, lower), None

    uniform = jnp.full_like(chain.weight, 1 / vocab_size)
    probs, _ = jax.lax.scan(above, uniform, (*discounts_of(raw), *chain[:5]))
    return -jnp.sum(chain.weight * jnp.log(probs))
