"""Kneser-Ney as a model: a row of probabilities for each counted context."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Integer, PRNGKeyArray

from mmjax.counting import smoothing
from mmjax.counting import tree as trees
from mmjax.counting.smoothing import Discounts
from mmjax.counting.tree import MAX_NUMBERS, MAX_ORDER, Tree
from mmjax.errors import require, require_ranges
from mmjax.model import Predictor, Tap, no_tap


class Params(NamedTuple):
    """The tree of contexts, and a row of log-probabilities for each node."""

    codes: tuple[Int[Array, "_"], ...]
    """The ascending codes of levels 1 to `block_size`, as in `tree.Tree`."""
    log_probs: Float[Array, "nodes vocab"]
    """Log-probabilities of the next token, level by level."""


@jax.tree_util.register_static
@dataclass(frozen=True)
class KneserNey:
    """A counted model: it looks up the longest known end of a context."""

    vocab_size: int
    """Number of tokens, including the boundary."""
    block_size: int
    """Order: number of previous characters that the model sees."""
    nodes: Sequence[int]
    """Number of distinct contexts of each length from 0 on."""

    def __post_init__(self):
        """Raise `InputError` if a size is out of range."""
        require_ranges(self, vocab_size=(2, 65_536), block_size=(1, MAX_ORDER))
        nodes = tuple(self.nodes)  # JSON's lists are not hashable
        object.__setattr__(self, "nodes", nodes)
        require(
            all(type(size) is int and size >= 1 for size in nodes)
            and len(nodes) == self.block_size + 1
            and nodes[0] == 1,
            f"nodes must be {self.block_size + 1} whole numbers above 0, first 1, one for each "
            "length of context",
        )
        # All codes are then below 2**31 as well.
        require(
            sum(nodes) * self.vocab_size <= MAX_NUMBERS,
            f"a table of {sum(nodes):,} contexts and {self.vocab_size:,} tokens is too large",
        )

    def init(self, key: PRNGKeyArray) -> tuple[Params, tuple[()]]:
        """Return a tree in which all tokens are equally likely."""
        del key
        codes = tuple(jnp.arange(size, dtype=jnp.int32) for size in self.nodes[1:])
        return Params(codes, jnp.zeros((sum(self.nodes), self.vocab_size))), ()

    def apply(
        self,
        params: Params,
        stats: tuple[()],
        contexts: Integer[Array, "batch block_size"],
        *,
        train: bool,
        key: PRNGKeyArray | None = None,
        tap: Tap = no_tap,
    ) -> tuple[Float[Array, "batch vocab"], tuple[()]]:
        """Return (log-probabilities of the next token, unchanged stats).

        They are those of the longest end of each context that the tree has.
        """
        del train, key
        contexts = contexts.astype(jnp.int32)
        node = row = jnp.zeros(len(contexts), jnp.int32)
        seen = jnp.ones(len(contexts), bool)
        before = 1  # rows of the levels before
        for level, codes in enumerate(params.codes, 1):
            code = node * self.vocab_size + contexts[:, -level]
            node = jnp.minimum(jnp.searchsorted(codes, code), len(codes) - 1).astype(jnp.int32)
            seen &= codes[node] == code
            row = jnp.where(seen, before + node, row)
            before += len(codes)
        return tap("logits", params.log_probs[row]), stats


# The same functions under their plain names: `kneser_ney.apply(model, params, ...)`.
init = KneserNey.init
apply = KneserNey.apply


def fit(
    tokens: Integer[np.ndarray, "tokens"],
    vocab_size: int,
    order: int,
    discounts: Discounts | None = None,
) -> Predictor:
    """Return the model counted from `tokens`, a flat array.

    `order` is the number of tokens of context. The discounts are by default those of the formula.
    Raises `InputError` as `tree.grow` does.
    """
    return of_tree(trees.grow(tokens, vocab_size, order), discounts)


def of_tree(tree: Tree, discounts: Discounts | None = None) -> Predictor:
    """Return the model of counted contexts, as `fit` does."""
    with np.errstate(divide="ignore"):
        log_probs = np.log(smoothing.table(tree, discounts))
    codes = tuple(jnp.asarray(level, jnp.int32) for level in tree.codes)
    model = KneserNey(tree.vocab_size, tree.order, tuple(map(len, tree.counts)))
    return Predictor(model, Params(codes, jnp.asarray(log_probs, jnp.result_type(float))), ())
