"""Continuations of prefixes, each with a bound on the names that begin so."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from mmjax.data.vocab import BOUNDARY
from mmjax.generate import graph as graphs
from mmjax.generate.automaton import DEAD, Automaton
from mmjax.model import Predictor

MAX_NUMBERS = 2**25  # bounds of all nodes; each takes eight bytes


class Prefix(NamedTuple):
    """Letters, their log-probability, and the node or state after them."""

    tokens: tuple[int, ...]
    log_prob: float
    state: int


class Expanded(NamedTuple):
    """What follows some prefixes: a row for each prefix, a column for each token."""

    log_probs: Float[np.ndarray, "batch vocab"]
    rest: Float[np.ndarray, "batch vocab"]
    """Bound on the log-probability of all that follows the token; -inf if that is impossible."""
    state: Int[np.ndarray, "batch vocab"]
    """The node or state after the token."""


Expand = Callable[[Sequence[Prefix]], Expanded]


class Continuations(NamedTuple):
    """The possible next tokens of a prefix, that of the highest bound first."""

    prefix: tuple[int, ...]
    tokens: Int[np.ndarray, "possible"]
    bounds: Float[np.ndarray, "possible"]
    """No name that continues so has a higher log-probability."""
    log_probs: Float[np.ndarray, "possible"]
    """Log-probability of the prefix with the token."""
    state: Int[np.ndarray, "possible"]


def continuations(expand: Expand, prefixes: Sequence[Prefix]) -> Iterator[Continuations]:
    """Yield the continuations of each prefix."""
    after = expand(prefixes)
    log_probs = np.array([[each.log_prob] for each in prefixes]) + after.log_probs
    bounds = log_probs + after.rest
    for row, each in enumerate(prefixes):
        tokens = np.flatnonzero(bounds[row] > -math.inf)
        order = tokens[np.argsort(-bounds[row, tokens], kind="stable")].astype(np.int32)
        chosen = (bounds[row, order], log_probs[row, order], after.state[row, order])
        yield Continuations(each.tokens, order, *chosen)


def of_table(predictor: Predictor, automaton: Automaton, longest: int) -> Expand | None:
    """Return how prefixes continue in a table, None if it takes too much memory.

    The bound is exact: the log-probability of the best name of at most `longest` letters.
    """
    model, logits = predictor.model, np.asarray(predictor.params.logits, np.float64)
    log_probs = graphs.log_softmax(logits)
    graph = graphs.reachable(model, automaton, np.zeros(0, np.int32), log_probs > -math.inf)
    if graph is None:
        return None
    ends = np.where(graph.accepting, log_probs[graph.context, BOUNDARY], -math.inf)
    best = [np.append(ends, -math.inf)]  # of each node, for 0, 1, 2, ... more letters
    while len(best) <= longest:
        if (len(best) + 1) * len(ends) > MAX_NUMBERS:
            return None
        onward = (log_probs[graph.context] + best[-1][graph.following]).max(axis=1)
        best.append(np.append(np.maximum(ends, onward), -math.inf))
        if (best[-1] == best[-2]).all():
            break

    def expand(prefixes: Sequence[Prefix]) -> Expanded:
        node = np.array([each.state for each in prefixes])
        following, rows = graph.following[node], []
        for each, after in zip(prefixes, following, strict=True):
            left = longest - len(each.tokens)
            rows.append(
                best[min(left, len(best)) - 1][after] if left else np.full(len(after), -math.inf)
            )
        rest = np.array(rows)
        rest[:, BOUNDARY] = np.where(graph.accepting[node], 0.0, -math.inf)
        return Expanded(log_probs[graph.context[node]], rest, following)

    return expand


def of_network(predictor: Predictor, automaton: Automaton, longest: int, batch: int) -> Expand:
    """Return how at most `batch` prefixes continue in any model.

    The bound is the probability of the prefix. Prefixes that no name can continue are left out.
    """
    block_size = predictor.model.block_size
    logits_of = jax.jit(predictor.logits)

    def expand(prefixes: Sequence[Prefix]) -> Expanded:
        contexts = np.zeros((batch, block_size), np.int32)
        for row, each in enumerate(prefixes):
            seen = ([0] * block_size + [*each.tokens])[-block_size:]
            contexts[row] = seen
        log_probs = graphs.log_softmax(np.asarray(logits_of(contexts), np.float64))[: len(prefixes)]
        now = np.array([each.state for each in prefixes])
        after = automaton.next_state[now]
        at_most = np.array([len(each.tokens) < longest for each in prefixes])[:, None]
        rest = np.where((after != DEAD) & at_most, 0.0, -math.inf)
        rest[:, BOUNDARY] = np.where(automaton.accepting[now], 0.0, -math.inf)
        return Expanded(log_probs, rest, after)

    return expand
