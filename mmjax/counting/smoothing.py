"""Kneser-Ney smoothing: counts, discounts and probabilities.

This is the modified, interpolated form with three discounts for each length of context. Source:
Chen and Goodman, An empirical study of smoothing techniques for language modeling, 1999, section
3 (https://doi.org/10.1006/csla.1999.0128). A concentration for each length makes it more general:
Teh, A Hierarchical Bayesian Language Model based on Pitman-Yor Processes, 2006
(https://aclanthology.org/P06-1124).
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Integer

from mmjax.counting.tree import Tree, rows
from mmjax.errors import require

LARGEST = np.array([1.0, 2.0, 3.0])  # a discount takes no more than there is to take
USUAL = np.array([0.5, 1.0, 1.5])  # discounts where the counts do not determine them


class Discounts(NamedTuple):
    """What is taken from the counts after a context of each length from 0 on.

    What is taken is spread like the distribution after the context without its first token.
    """

    by_count: Float[np.ndarray, "levels 3"]
    """Taken from each count of 1, of 2, and of 3 or more."""
    concentration: Float[np.ndarray, "levels"]
    """Added to the counts of each context, and spread with them; 0 by formula."""


def table(tree: Tree, discounts: Discounts | None = None) -> Float[np.ndarray, "nodes vocab"]:
    """Return P(next | context) of every node, level by level.

    Each row sums to 1. The discounts are by default those of the formula. Raises `InputError` if a
    number of them is out of range.
    """
    counts = adjusted(tree)
    discounts = by_formula(counts) if discounts is None else discounts
    return np.concatenate([*probabilities(tree, counts, discounts)])


def nll(
    tree: Tree, probs: Float[np.ndarray, "nodes vocab"], tokens: Integer[np.ndarray, "tokens"]
) -> float:
    """Return the mean negative log-likelihood of the examples of `tokens`.

    `probs` is the `table` of the tree. In nats per character; NaN if there are no examples. It
    equals `evaluate.loss` of the model, without compiling anything.
    """
    if len(tokens) < 2:
        return math.nan
    with np.errstate(divide="ignore"):
        return float(-np.log(probs[rows(tree, tokens), tokens[1:]]).mean())


def adjusted(tree: Tree) -> list[Int[np.ndarray, "_ vocab"]]:
    """Return the counts of every level as Kneser and Ney count.

    The longest contexts have their counts. In shorter ones, a token counts once for each different
    token before the context. A context from the start of a name keeps its counts, because nothing
    but the boundary is before it.
    """
    counts = [*tree.counts]
    for level in range(tree.order):
        first = np.flatnonzero(np.diff(tree.parents(level + 1), prepend=-1))
        before = np.add.reduceat(tree.counts[level + 1] > 0, first, axis=0, dtype=np.int64)
        counts[level] = np.where(tree.starts(level)[:, None], counts[level], before)
    return counts


def by_formula(counts: list[Int[np.ndarray, "_ vocab"]]) -> Discounts:
    """Return the discounts of counts 1, 2, and 3 or more for each level.

    With n_i the number of counts that are i and Y = n1 / (n1 + 2 n2), they are i - (i + 1) Y
    n_{i+1} / n_i. A discount without counts to determine it is `USUAL`; others are cut to the range
    from 0 to i.
    """
    found = []
    for level in counts:
        n = np.bincount(np.minimum(level, 5).ravel(), minlength=5)[1:5].astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = n[0] / (n[0] + 2 * n[1])
            discounts = LARGEST - (LARGEST + 1) * share * n[1:] / n[:3]
        discounts = np.where(np.isfinite(discounts), discounts, USUAL)
        found.append(np.clip(discounts, 0, LARGEST))
    return Discounts(np.array(found), np.zeros(len(found)))


def probabilities(
    tree: Tree,
    counts: list[Int[np.ndarray, "_ vocab"]],
    discounts: Discounts,
) -> Iterator[Float[np.ndarray, "_ vocab"]]:
    """Yield the distributions after the nodes of each level.

    What the discounts take from a node's counts is spread like the distribution after its parent;
    at level 0, evenly over the vocabulary. Raises `InputError` if a number is out of range.
    """
    levels, (by_count, concentration) = tree.order + 1, discounts
    require(
        by_count.shape == (levels, 3) and bool(((by_count >= 0) & (by_count <= LARGEST)).all()),
        f"discounts must be {levels} rows of three numbers, from 0 to 1, 2 and 3",
    )
    require(
        concentration.shape == (levels,) and bool((concentration >= 0).all()),
        f"the concentration must be {levels} numbers from 0 on",
    )
    lower = np.full((1, tree.vocab_size), 1 / tree.vocab_size)
    for level, (count, discount, more) in enumerate(
        zip(counts, by_count, concentration, strict=True)
    ):
        taken = np.append(0, discount)[np.minimum(count, 3)]
        shorter = lower[tree.parents(level)] if level else lower
        spread = (taken.sum(axis=1, keepdims=True) + more) * shorter
        lower = (count - taken + spread) / (count.sum(axis=1, keepdims=True) + more)
        yield lower
