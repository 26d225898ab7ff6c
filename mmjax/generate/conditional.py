"""Exact draws of names that meet conditions, from a model that is a table of contexts.

Let h(node, r) be the probability that a name which has reached this node of the graph ends within r
more letters and meets the conditions. A pass from r = 0 upwards computes it:

    h(node, r) = p(end | node) [the name may end here] + sum over t of p(t | node) h(node t, r - 1)

A letter t is then drawn with probability p(t | node) h(node t, r - 1) / h(node, r). These are the
probabilities of the model's own names, given that they meet the conditions; no draw is rejected.
"""

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Int, Integer, PRNGKeyArray
from scipy.sparse import csr_array

from mmjax.data import vocab as vocabulary
from mmjax.data.vocab import BOUNDARY, Vocab
from mmjax.errors import require
from mmjax.generate import graph as graphs
from mmjax.generate.automaton import Automaton
from mmjax.generate.conditions import Conditions, automaton, span
from mmjax.generate.filters import filter_logits
from mmjax.generate.graph import Graph
from mmjax.model import Predictor
from mmjax.models import lookup

MAX_NUMBERS = 2**25  # in h; each takes eight bytes
CONVERGED = 1e-12  # relative change of h from which one more letter makes no difference


class Plan(NamedTuple):
    """All that exact draws need."""

    prefix: Integer[np.ndarray, "prefix"]
    graph: Graph
    probs: Float[np.ndarray, "contexts vocab"]
    """Probabilities of the filtered model."""
    hope: list[Float[np.ndarray, "nodes_and_1"]]
    """h of each node, for 0, 1, 2, ... more letters; the last node is the impossible one."""
    letters: int
    """The most letters after the prefix."""
    probability: float
    """Probability that a name of the filtered model meets the conditions."""


def plan(
    predictor: Predictor,
    accepted: Automaton,
    prefix: Integer[np.ndarray, "prefix"],
    longest: int,
    filters: dict[str, Any],
) -> Plan | None:
    """Return the plan of names of at most `longest` letters, None if it takes too much memory.

    The predictor must fit a table; `filters` are options of `filter_logits`.
    """
    table = lookup.tabulate(predictor)
    logits = filter_logits(table.params.logits, **filters)
    probs = np.exp(graphs.log_softmax(np.asarray(logits, np.float64)))
    model = table.model
    found = graphs.reachable(model, accepted, prefix, probs > 0)
    if found is None:
        return None
    nodes = len(found.context)
    letters = longest - len(prefix)
    ends = np.append(probs[found.context, BOUNDARY] * found.accepting, 0.0)
    source, token = np.nonzero(found.following < nodes)
    weights = probs[found.context[source], token]
    step = csr_array((weights, (source, found.following[source, token])), (nodes + 1, nodes + 1))
    hope = [ends]
    while len(hope) <= letters:
        if (len(hope) + 1) * nodes > MAX_NUMBERS:
            return None
        hope.append(ends + step @ hope[-1])
        if (hope[-1] - hope[-2] <= CONVERGED * hope[-1]).all():
            break
    begins, context = 1.0, 0
    for each in prefix.tolist():
        begins *= float(probs[context, each])
        context = (context * model.vocab_size + each) % lookup.size(model)
    return Plan(prefix, found, probs, hope, letters, begins * float(hope[-1][0]))


def draw(
    plan: Plan, key: PRNGKeyArray, batch: int
) -> tuple[Int[np.ndarray, "batch longest"], Bool[np.ndarray, "batch"]]:
    """Return (tokens, ended) of `batch` names, as `sample.generate` does; all have ended."""
    graph, prefix = plan.graph, plan.prefix
    tokens = np.zeros((batch, len(prefix) + plan.letters), np.int32)
    tokens[:, : len(prefix)] = prefix
    node, alive = np.zeros(batch, np.int32), np.arange(batch)
    for i in range(plan.letters):
        uniform = np.asarray(jax.random.uniform(jax.random.fold_in(key, i), (batch,)))
        after, context = graph.following[node], graph.context[node]
        weights = plan.probs[context]
        rest = weights * plan.hope[min(plan.letters - i, len(plan.hope)) - 1][after]
        rest[:, BOUNDARY] = weights[:, BOUNDARY] * graph.accepting[node]
        cumulative = np.cumsum(rest, axis=1)
        drawn = np.argmax(cumulative > uniform[alive, None] * cumulative[:, -1:], axis=1)
        going = drawn != BOUNDARY
        alive, drawn, after = alive[going], drawn[going], after[going]
        node = after[np.arange(len(after)), drawn]
        tokens[alive, len(prefix) + i] = drawn
        if not len(alive):
            break
    return tokens, np.ones(batch, bool)


def probability(
    predictor: Predictor,
    vocab: Vocab,
    conditions: Conditions,
    *,
    max_length: int = 64,
    **filters: Any,
) -> float:
    """Return the probability that a name meets the conditions and has at most `max_length` letters.

    `filters` are options of `filter_logits`. Raises `InputError` if a condition cannot be met by
    any name, or if the model with the automaton is too large for a table.
    """
    accepted = automaton(conditions, vocab)
    prefix = vocabulary.encode(vocab, conditions.prefix).astype(np.int32)
    _, longest = span(conditions, accepted, prefix, max_length)
    fits = lookup.fits(predictor.model)
    made = plan(predictor, accepted, prefix, longest, filters) if fits else None
    require(
        made is not None,
        "the model and the conditions are too large for a table of contexts; draw names, and count "
        "those that meet the conditions",
    )
    assert made is not None
    return made.probability
