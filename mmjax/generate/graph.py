"""A table of contexts and an automaton as one graph.

A node is a context of the model together with a state of the automaton. It is all that the rest of
a name depends on.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Integer

from mmjax.generate.automaton import DEAD, Automaton
from mmjax.model import Model
from mmjax.models import lookup

MAX_PAIRS = 2**26  # contexts times states; each takes four bytes
MAX_EDGES = 2**24  # nodes times tokens; each takes twelve bytes


class Graph(NamedTuple):
    """The nodes that can be reached from the first one."""

    context: Int[np.ndarray, "nodes"]
    """The context of each node, as in `lookup.index`."""
    accepting: Bool[np.ndarray, "nodes"]
    """Whether a name may end there."""
    following: Int[np.ndarray, "nodes vocab"]
    """The node after each token; as many as there are nodes if that is impossible."""


def reachable(
    model: Model,
    automaton: Automaton,
    prefix: Integer[np.ndarray, "prefix"],
    possible: Bool[np.ndarray, "contexts vocab"],
) -> Graph | None:
    """Return the graph from the node after `prefix`, None if it takes too much memory.

    `possible` tells which tokens have a probability.
    """
    states, size = len(automaton.accepting), lookup.size(model)
    if size * states > MAX_PAIRS:
        return None
    seen = [0] * model.block_size + prefix.tolist()
    start = 0
    for token in seen[len(seen) - model.block_size :]:
        start = start * model.vocab_size + token
    number = np.full(size * states, -1, np.int32)
    frontier = np.array([start * states + automaton.walk(prefix)])
    nodes, edges, count = [], [], 0
    while len(frontier):
        number[frontier] = np.arange(count, count + len(frontier), dtype=np.int32)
        count += len(frontier)
        if count * model.vocab_size > MAX_EDGES:
            return None
        context, state = np.divmod(frontier, states)
        state_after = automaton.next_state[state]
        context_after = (context * model.vocab_size % size)[:, None] + np.arange(model.vocab_size)
        after = np.where(
            (state_after != DEAD) & possible[context], context_after * states + state_after, -1
        )
        nodes.append(frontier)
        edges.append(after)
        frontier = np.unique(after)
        frontier = frontier[(frontier >= 0) & (number[frontier] < 0)]
    after = np.concatenate(edges)
    context, state = np.divmod(np.concatenate(nodes), states)
    return Graph(context, automaton.accepting[state], np.where(after < 0, count, number[after]))


def log_softmax(logits: Float[np.ndarray, "rows vocab"]) -> Float[np.ndarray, "rows vocab"]:
    """Return log-probabilities in float64, which also holds those of long and rare names."""
    wide = np.asarray(logits, np.float64)
    wide = wide - wide.max(axis=1, keepdims=True)
    return wide - np.log(np.exp(wide).sum(axis=1, keepdims=True))
