"""The distinct contexts of a list as a tree, with counts.

A node of level j stands for the last j tokens of a context, and level 0 has one node, the empty
context. The children of a node have one more token, the one before. A child's code is its parent's
index times `vocab_size`, plus that token. The nodes of a level are in the order of their codes.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Integer

from mmjax import counts
from mmjax.data.vocab import BOUNDARY
from mmjax.errors import require

MAX_ORDER = 1_000
MAX_NUMBERS = 2**26  # nodes times tokens; a table of this size takes 256 MiB in float32


class Tree(NamedTuple):
    """The contexts of up to `order` tokens, and what follows each."""

    codes: tuple[Int[np.ndarray, "_"], ...]
    """The ascending codes of levels 1 to `order`."""
    counts: tuple[Int[np.ndarray, "_ vocab"], ...]
    """How often each token follows each node, for levels 0 to `order`."""

    @property
    def order(self) -> int:
        """Number of tokens in the longest contexts."""
        return len(self.codes)

    @property
    def vocab_size(self) -> int:
        """Number of tokens, including the boundary."""
        return self.counts[0].shape[1]

    def cut(self, order: int) -> "Tree":
        """Return the tree of shorter contexts.

        It equals the tree that `grow` returns for this order, which must be at least 1.
        """
        require(
            1 <= order <= self.order,
            f"order must be from 1 to {self.order}, not {order}; grow more",
        )
        return Tree(self.codes[:order], self.counts[: order + 1])

    def parents(self, level: int) -> Int[np.ndarray, "_"]:
        """Return the parent of each node of a level above 0."""
        return self.codes[level - 1] // self.vocab_size

    def starts(self, level: int) -> Bool[np.ndarray, "_"]:
        """Return which contexts of a level begin at or before the start of a name."""
        if level == 0:
            return np.zeros(1, bool)
        return self.codes[level - 1] % self.vocab_size == BOUNDARY


def grow(
    tokens: Integer[np.ndarray, "tokens"], vocab_size: int, order: int, *, most: int = MAX_NUMBERS
) -> Tree:
    """Return the tree of all contexts in `tokens`.

    `tokens` is a flat array as `corpus.encode` returns it. Raises `InputError` if there is no
    example or a token is unknown, or if the table of all nodes would have more than `most` numbers.
    """
    require(
        1 <= order <= MAX_ORDER,
        f"order must be a whole number from 1 to {MAX_ORDER:,}, not {order}",
    )
    require(
        len(tokens) > 1,
        f"an array of {len(tokens)} tokens holds no example; encode at least one name",
    )
    largest = int(tokens.max())
    require(
        largest < vocab_size,
        f"the data has the token {largest}, but the tokens end at {vocab_size - 1}; give a "
        f"vocab_size of {largest + 1} or more",
    )
    following = tokens[1:].astype(np.int64)
    node = np.zeros(len(following), np.int64)
    codes, counted = [], [np.bincount(following, minlength=vocab_size)[None, :]]
    nodes = 1
    for previous in contexts(tokens, order):
        level, node = np.unique(node * vocab_size + previous, return_inverse=True)
        nodes += len(level)
        require(
            nodes * vocab_size <= most,
            f"the distinct contexts of up to {order} characters, at least {nodes:,}, are too many "
            f"for a table of {vocab_size:,} columns; use shorter contexts, or a list with fewer "
            "different characters",
        )
        codes.append(level)
        size = len(level) * vocab_size
        table = np.bincount(node * vocab_size + following, minlength=size)
        counted.append(table.reshape(-1, vocab_size))
    return Tree(tuple(codes), tuple(counted))


def contexts(
    tokens: Integer[np.ndarray, "tokens"], order: int
) -> Iterator[Int[np.ndarray, "examples"]]:
    """Yield the last token of every context, then the one before, and so on.

    Tokens before the start of a name are the boundary, as in `corpus.examples`.
    """
    index = np.arange(len(tokens) - 1)
    inside = np.ones(len(index), bool)
    for back in range(order):
        previous = np.where(inside, tokens[np.maximum(index - back, 0)], BOUNDARY)
        inside = previous != BOUNDARY
        yield previous.astype(np.int64)


def walk(
    tree: Tree, tokens: Integer[np.ndarray, "tokens"]
) -> Iterator[tuple[Int[np.ndarray, "examples"], Bool[np.ndarray, "examples"]]]:
    """Yield (node of each example, whether the tree has it), from level 0 on.

    The node is 0 where the tree does not have the context.
    """
    node = np.zeros(len(tokens) - 1, np.int64)
    seen = np.ones(len(tokens) - 1, bool)
    yield node, seen
    for codes, previous in zip(tree.codes, contexts(tokens, tree.order), strict=True):
        at, here = counts.find(codes, node * tree.vocab_size + previous)
        seen = seen & here
        node = np.where(seen, at, 0)
        yield node, seen


def rows(tree: Tree, tokens: Integer[np.ndarray, "tokens"]) -> Int[np.ndarray, "examples"]:
    """Return the node of the longest known end of each example's context.

    The nodes are numbered level by level.
    """
    row = np.zeros(len(tokens) - 1, np.int64)
    before = 0
    for counted, (node, seen) in zip(tree.counts, walk(tree, tokens), strict=True):
        row = np.where(seen, before + node, row)
        before += len(counted)
    return row
