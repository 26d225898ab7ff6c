"""Distillation: the contexts, their weights, and what the teacher predicts after them."""

import itertools
from collections import Counter, defaultdict

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mmjax import (
    InputError,
    Predictor,
    bigram,
    corpus,
    counting,
    distillation,
    evaluate,
    lookup,
    mlp,
    train,
)
from mmjax.data import context_table
from mmjax.data.vocab import Vocab

LETTERS = Vocab("abcd")
NAMES = ["abba", "ab", "a", "ba", "cab", "abc", "abba", "bab", "ccab", "aaa", "b", "acab"]
TOKENS = corpus.encode(LETTERS, NAMES)
KEY = jax.random.key(0)
logits = jax.jit(Predictor.logits)
STUDENT = mlp.MLP(5, 2, embedding_dim=3, hidden_size=7, hidden_layers=2)


def row_of(table, context):
    """Return the number of a context's row, or None."""
    found = np.flatnonzero((np.asarray(table.contexts) == context).all(axis=1))
    return int(found[0]) if len(found) else None


def weights_of(table):
    return np.diff(np.asarray(table.ends, np.float64), prepend=0) / 2**30


@pytest.mark.parametrize("share", [pytest.param(0.0, marks=pytest.mark.slow), 0.3])
def test_all_contexts_have_the_teachers_distribution_and_their_weight(share):
    teacher = counting.fit(TOKENS, 5, 2)
    table = distillation.of_teacher(teacher, STUDENT, TOKENS, LETTERS, KEY, share=share)
    contexts = jnp.asarray(table.contexts)
    np.testing.assert_allclose(
        table.next_probs, jax.nn.softmax(logits(teacher, contexts)), rtol=1e-5
    )
    # Brute force: the probability of every name, one letter at a time.
    visits, counted = defaultdict(float), Counter()
    probs = {
        context: np.exp(logits(teacher, jnp.asarray([context]))[0])
        for context in itertools.product(range(5), repeat=2)
    }
    mass = defaultdict(float, {(0, 0): 1.0})
    for _ in range(200):
        after = defaultdict(float)
        for context, weight in mass.items():
            visits[context] += weight
            for letter in range(1, 5):
                after[context[1], letter] += weight * float(probs[context][letter])
        mass = after
    for name in NAMES:
        previous = (0, 0)
        for letter in [*(LETTERS.characters.index(c) + 1 for c in name), 0]:
            counted[previous] += 1
            previous = (previous[1], letter)
    found = dict(zip(map(tuple, np.asarray(contexts).tolist()), weights_of(table), strict=True))
    for context in probs:
        expected = share * counted[context] / counted.total()
        expected += (1 - share) * visits[context] / sum(visits.values())
        assert found.get(context, 0) == pytest.approx(expected, abs=1e-5)


def test_a_longer_teacher_is_averaged_over_what_the_student_does_not_see():
    """With all of the weight on the list, brute force over the list gives the same means."""
    teacher = counting.fit(TOKENS, 5, 4)
    table = distillation.of_teacher(teacher, STUDENT, TOKENS, LETTERS, KEY, share=1.0, names=7)
    rows = context_table.examples(TOKENS, 4)[:, :-1]
    probs = np.exp(np.asarray(logits(teacher, jnp.asarray(rows)), np.float64))
    short = {tuple(row) for row in rows[:, 2:].tolist()}
    assert {tuple(row) for row in np.asarray(table.contexts).tolist()} == short
    for context in short:
        here = (rows[:, 2:] == context).all(axis=1)
        row = row_of(table, context)
        np.testing.assert_allclose(table.next_probs[row], probs[here].mean(axis=0), rtol=1e-5)
        assert weights_of(table)[row] == pytest.approx(here.mean(), abs=1e-6)


def test_names_of_the_teacher_bring_contexts_that_the_list_has_not():
    teacher = counting.fit(TOKENS, 5, 4)
    table = distillation.of_teacher(teacher, STUDENT, TOKENS, LETTERS, KEY, share=0.5, names=2_000)
    listed = {tuple(row) for row in context_table.examples(TOKENS, 2)[:, :-1].tolist()}
    found = {tuple(row) for row in np.asarray(table.contexts).tolist()}
    assert listed < found
    np.testing.assert_allclose(table.next_probs.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.slow
def test_a_student_comes_close_to_its_teacher():
    teacher = counting.fit(TOKENS, 5, 2)
    table = distillation.of_teacher(teacher, STUDENT, TOKENS, LETTERS, KEY)
    recipe = train.Recipe(steps=600, batch_size=13, learning_rate=0.5, schedule="linear")
    state, _ = train.run(STUDENT, recipe, KEY, table)
    student = evaluate.calibrate(train.predictor(STUDENT, state), TOKENS)
    gap = evaluate.loss(student, TOKENS) - evaluate.loss(teacher, TOKENS)
    assert abs(gap) < 0.08


def test_an_ensemble_is_the_mean_of_the_probabilities():
    draws = np.random.default_rng(0).random((3, 5, 5))
    members = [Predictor(bigram.Bigram(5), bigram.from_counts(table), ()) for table in draws]
    together = counting.ensemble(members)
    contexts = jnp.arange(5)[:, None]
    mean = np.mean([jax.nn.softmax(logits(member, contexts)) for member in members], axis=0)
    np.testing.assert_allclose(np.exp(logits(together, contexts)), mean, rtol=1e-5)


def test_weights_that_round_to_nothing_are_left_out():
    contexts = np.array([[1], [2], [3]], np.uint8)
    probs = np.full((3, 5), 0.2)
    table = context_table.weighted(contexts, np.array([1.0, 1e-12, 3.0]), probs)
    assert table.contexts.ravel().tolist() == [1, 3]
    drawn = np.asarray(table.draw(KEY, 4_000))
    assert (drawn == 0).mean() == pytest.approx(0.25, abs=0.03)


def test_what_cannot_teach_is_refused():
    teacher = counting.fit(TOKENS, 5, 2)
    with pytest.raises(InputError, match="share must be a number from 0 to 1, not 1"):
        distillation.of_teacher(teacher, STUDENT, TOKENS, LETTERS, KEY, share=1.5)
    other = lookup.Table(6, 2)
    with pytest.raises(InputError, match="have 5 and 6 tokens; give a teacher of the same list"):
        distillation.of_teacher(teacher, other, TOKENS, LETTERS, KEY)
