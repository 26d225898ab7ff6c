"""The likeliest names of a model, exactly, by a search of the best prefix first.

A prefix has a bound: no name that begins with it is likelier. The search takes the prefix with the
highest bound and puts its continuations in its place. A whole name with the highest bound of all
is the next likeliest. For a table, the bound is the probability of the best name itself, so
the search goes straight to it; for other models it is the probability of the prefix.
"""

import heapq
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from rapidfuzz.distance import Levenshtein

from mmjax.data import vocab as vocabulary
from mmjax.data.vocab import BOUNDARY, Vocab
from mmjax.errors import InputError, require
from mmjax.generate import expansion
from mmjax.generate.automaton import START
from mmjax.generate.conditions import Conditions, automaton, span
from mmjax.generate.expansion import Continuations, Expand, Prefix, continuations
from mmjax.model import Predictor
from mmjax.models import lookup

BATCH = 256  # prefixes that a network looks at together
MAX_PREFIXES = 200_000
MAX_NUMBERS = 2**23  # continuations of all prefixes; each takes 24 bytes
POOL = 10  # candidates for each name of a diverse list


class Scored(NamedTuple):
    """A name and its log-probability in nats, the end of the name included."""

    name: str
    log_prob: float


def likeliest(
    predictor: Predictor,
    vocab: Vocab,
    n: int,
    *,
    conditions: Conditions | None = None,
    max_length: int = 64,
    diverse: float = 0.0,
) -> list[Scored]:
    """Return the `n` likeliest names, likeliest first, or all if there are fewer.

    The order is exact. With `diverse`, they are chosen from the `POOL` * n likeliest by `spread`.
    Raises `InputError` as `ranked` does.
    """
    names = ranked(predictor, vocab, conditions=conditions, max_length=max_length)
    return spread(names, n, diverse) if diverse else list(islice(names, n))


def ranked(
    predictor: Predictor,
    vocab: Vocab,
    *,
    conditions: Conditions | None = None,
    max_length: int = 64,
) -> Iterator[Scored]:
    """Yield the names of at most `max_length` letters that meet the conditions, likeliest first.

    Names that are equally likely come in any order. Raises `InputError` if the vocabulary has
    another size than the model, no name can meet the conditions, or the search has looked at
    `MAX_PREFIXES` prefixes.
    """
    vocabulary.require_size(vocab, predictor.model.vocab_size)
    conditions = conditions or Conditions()
    accepted = automaton(conditions, vocab)
    nothing = np.zeros(0, np.int32)
    _, longest = span(conditions, accepted, nothing, max_length)
    if lookup.fits(predictor.model):
        predictor = lookup.tabulate(predictor)
        expand = expansion.of_table(predictor, accepted, longest)
        if expand:
            return _search(vocab, expand, Prefix((), 0.0, 0), 1)
    expand = expansion.of_network(predictor, accepted, longest, BATCH)
    return _search(vocab, expand, Prefix((), 0.0, START), BATCH)


def spread(names: Iterator[Scored], n: int, penalty: float) -> list[Scored]:
    """Return `n` names that differ, chosen one by one from the first `POOL` * n names.

    Each is the one with the highest log-probability minus `penalty` times its similarity to the
    most similar name chosen before. The similarity is from 0 to 1: 1 minus the edits per letter of
    the longer name. Raises `InputError` if `penalty` is not a number from 0 to 1,000, or as `names`
    does before it has yielded `n` names.
    """
    require(0 <= penalty <= 1_000, f"the penalty must be from 0 to 1,000, not {penalty}")
    pool: list[Scored] = []
    try:
        pool.extend(islice(names, POOL * n))
    except InputError:
        if len(pool) < n:
            raise
    chosen: list[Scored] = []
    similar = [0.0] * len(pool)
    while pool and len(chosen) < n:
        scores = [each.log_prob - penalty * s for each, s in zip(pool, similar, strict=True)]
        best = max(range(len(pool)), key=scores.__getitem__)
        similar.pop(best)
        chosen.append(pool.pop(best))
        similar = [
            max(s, Levenshtein.normalized_similarity(each.name, chosen[-1].name))
            for each, s in zip(pool, similar, strict=True)
        ]
    return chosen


def _search(vocab: Vocab, expand: Expand, root: Prefix, batch: int) -> Iterator[Scored]:
    """Yield the names in order, looking at up to `batch` prefixes at once.

    The heap has the best continuation of every prefix that no one has taken yet.
    """
    heap: list[tuple[float, int, int]] = []  # minus the bound, prefix, rank of its continuation
    known: list[Continuations] = []
    waiting, found, numbers = [root], 0, 0
    while waiting or heap:
        # What waits may be more likely than the name at the top.
        if waiting and (len(waiting) == batch or not heap or _ends(known, heap[0])):
            for each in continuations(expand, waiting):
                if len(each.tokens):
                    heapq.heappush(heap, (-float(each.bounds[0]), len(known), 0))
                known.append(each)
                numbers += len(each.tokens)
            waiting = []
            require(
                len(known) <= MAX_PREFIXES and numbers <= MAX_NUMBERS,
                f"the {found:,} likeliest names are found; the next one takes more than "
                f"{min(len(known), MAX_PREFIXES):,} prefixes to look at; ask for fewer names, or "
                "give a prefix or other conditions",
            )
            continue
        _, at, rank = heapq.heappop(heap)
        each = known[at]
        if rank + 1 < len(each.tokens):
            heapq.heappush(heap, (-float(each.bounds[rank + 1]), at, rank + 1))
        log_prob = float(each.log_probs[rank])
        if each.tokens[rank] == BOUNDARY:
            found += 1
            yield Scored(vocabulary.decode(vocab, np.array(each.prefix, np.int32)), log_prob)
        else:
            tokens = (*each.prefix, int(each.tokens[rank]))
            waiting.append(Prefix(tokens, log_prob, int(each.state[rank])))


def _ends(known: Sequence[Continuations], item: tuple[float, int, int]) -> bool:
    return bool(known[item[1]].tokens[item[2]] == BOUNDARY)
