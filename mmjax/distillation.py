"""Distillation: a dataset of what a teacher predicts, for a student to learn.

A student learns the whole distribution that a better model predicts after each context, instead of
the one letter that followed it in the list. Source: Hinton, Vinyals and Dean, Distilling the
Knowledge in a Neural Network (https://arxiv.org/abs/1503.02531).
"""

from itertools import islice

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Integer, PRNGKeyArray

from mmjax.counting.fitting import log_probs
from mmjax.data import ContextTable, context_table, corpus
from mmjax.data.vocab import BOUNDARY, Vocab
from mmjax.errors import require
from mmjax.generate import sample
from mmjax.model import Model, Predictor
from mmjax.models import lookup

MOST_STEPS = 1_000  # letters after which the expected visits are cut


def of_teacher(
    teacher: Predictor,
    student: Model,
    tokens: Integer[np.ndarray, "tokens"],
    vocab: Vocab,
    key: PRNGKeyArray,
    *,
    share: float = 0.5,
    names: int = 200_000,
) -> ContextTable:
    """Return the contexts of a student, each with the distribution that a teacher predicts.

    A part `share` of the weight of a context is its frequency in `tokens`, a flat array of training
    names; the rest is how often the teacher itself comes to it. So the student also learns what
    follows contexts that the list does not have.

    If both see the same number of tokens and all contexts can be listed, this is exact. Else the
    teacher draws `names` names, and a context gets the mean of the teacher's distributions over the
    longer contexts that end with it. Raises `InputError` if the vocabularies differ or a number is
    out of range.
    """
    require(0 <= share <= 1, f"share must be a number from 0 to 1, not {share}")
    sizes = {teacher.model.vocab_size, student.vocab_size, vocab.size}
    require(
        len(sizes) == 1,
        f"teacher, student and vocabulary have {' and '.join(map(str, sorted(sizes)))} tokens; give "
        "a teacher of the same list",
    )
    if teacher.model.block_size == student.block_size and lookup.fits(student):
        return _of_all(teacher, tokens, share)
    lists = [(tokens, share)] if share else []
    if share < 1:
        drawn = islice(sample.stream(teacher, vocab, key), names)
        own = corpus.encode(vocab, [each.name for each in drawn if each.ended])
        lists.append((own, 1 - share))
    return _of_some(teacher, student, lists)


def _of_all(teacher: Predictor, tokens: np.ndarray, share: float) -> ContextTable:
    model = teacher.model
    probs = np.asarray(jax.nn.softmax(lookup.tabulate(teacher).params.logits), np.float64)
    contexts = np.asarray(lookup.every_context(model))
    rows = jnp.asarray(context_table.examples(tokens, model.block_size)[:, :-1])
    counted = np.bincount(np.asarray(lookup.index(model, rows)), minlength=len(probs))
    visits = expected_visits(probs, model.vocab_size)
    weights = share * counted / counted.sum() + (1 - share) * visits / visits.sum()
    return context_table.weighted(contexts.astype(tokens.dtype), weights, probs)


def expected_visits(
    probs: Float[np.ndarray, "contexts vocab"], vocab_size: int
) -> Float[np.ndarray, "contexts"]:
    """Return how often a name of the model comes to each context, on average.

    `probs` has a row for every context, in the order of `lookup.index`.
    """
    mass = np.zeros(len(probs))
    mass[0] = 1.0  # a name begins with blanks only
    visits = np.zeros(len(probs))
    for _ in range(MOST_STEPS):
        visits += mass
        moved = mass[:, None] * probs
        moved[:, BOUNDARY] = 0  # the name ends
        # The context after a letter has lost its first token: those rows are added up.
        mass = moved.reshape(vocab_size, -1, vocab_size).sum(axis=0).ravel()
        if mass.sum() < 1e-9:
            break
    return visits


def _of_some(
    teacher: Predictor, student: Model, lists: list[tuple[np.ndarray, float]]
) -> ContextTable:
    """Return the contexts in lists of tokens, each list with its share of the weight."""
    rows = [context_table.examples(tokens, student.block_size)[:, :-1] for tokens, _ in lists]
    weights = [
        np.full(len(part), share / len(part)) for part, (_, share) in zip(rows, lists, strict=True)
    ]
    probs = [np.exp(log_probs([teacher], tokens)[:, 0]) for tokens, _ in lists]
    weight = np.concatenate(weights)
    contexts, inverse = np.unique(np.concatenate(rows), axis=0, return_inverse=True)
    inverse = inverse.ravel()
    order = np.argsort(inverse, kind="stable")
    first = np.flatnonzero(np.diff(inverse[order], prepend=-1))
    weighted = (np.concatenate(probs) * weight[:, None].astype(np.float32))[order]
    total = np.add.reduceat(weight[order], first)
    means = np.add.reduceat(weighted, first, axis=0) / total[:, None]
    return context_table.weighted(contexts, total, means)
