import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mmjax import corpus, counts, vocab

TABLES = hnp.arrays(np.int64, (5, 5), elements=st.integers(0, 7)).filter(lambda t: t.sum() > 0)


def test_bigrams_are_the_naive_counter(shipped_names):
    v = vocab.build(shipped_names)
    table = counts.bigrams(corpus.encode(v, shipped_names), v.size)
    labels = v.labels
    naive = Counter(pair for n in shipped_names for pair in zip(f".{n}", f"{n}.", strict=True))
    assert {
        (labels[a], labels[b]): int(table[a, b]) for a, b in zip(*np.nonzero(table), strict=True)
    } == naive


@given(TABLES, st.sampled_from([0.0, 0.5, 1.0]))
def test_rows_of_probabilities_sum_to_one(table, smoothing):
    probs = counts.probabilities(table, smoothing=smoothing)
    np.testing.assert_allclose(probs.sum(axis=1), 1)
    if smoothing:
        assert (probs > 0).all()


def test_a_row_without_counts_is_the_limit_of_smoothing():
    table = np.array([[0, 0, 0], [1, 3, 0], [0, 0, 7]])
    limit = counts.probabilities(table, smoothing=1e-12)
    np.testing.assert_allclose(counts.probabilities(table), limit, atol=1e-9)


@given(TABLES, TABLES)
def test_nothing_scores_below_the_floor(table, other):
    """By Gibbs' inequality, only the list's own frequencies reach the floor."""
    floor = counts.entropy_floor(table)
    assert counts.nll(counts.probabilities(other), table) >= floor - 1e-12
    assert counts.nll(counts.probabilities(other, smoothing=1), table) >= floor - 1e-12
    assert counts.kl(table, table) == 0


@pytest.mark.parametrize("piece", [2**22, 61, 7])  # counted in a table, sorted, in many pieces
def test_pairs_are_the_table_without_its_zeros(monkeypatch, piece):
    monkeypatch.setattr(counts, "PIECE", piece)
    rng = np.random.default_rng(0)
    tokens = (rng.random(301) ** 2 * 8).astype(np.uint8)
    table = counts.bigrams(tokens, 9)
    pairs = counts.pairs(tokens, 9)
    dense = np.zeros((9, 9), np.int64)
    dense[pairs.previous, pairs.following] = pairs.counts
    np.testing.assert_array_equal(dense, table)
    some = np.array([1, 2, 5, 8])
    np.testing.assert_array_equal(pairs.rows(some), table[some])
    assert (pairs.counts > 0).all()
    assert (np.diff(pairs.codes) > 0).all()


@given(TABLES, TABLES, st.sampled_from([0.0, 1.0]))
def test_pairs_lose_what_their_tables_lose(table, other, smoothing):
    pairs, model = (
        counts.Pairs(cells[:, 0], cells[:, 1], t[t > 0], 5)
        for t in (table, other)
        for cells in [np.argwhere(t)]
    )
    probs = counts.probabilities(other, smoothing=smoothing)
    expected = counts.nll(probs, table)
    assert counts.pair_nll(pairs, model, smoothing=smoothing) == pytest.approx(expected)
    expected = expected - counts.entropy_floor(table)
    assert counts.pair_kl(pairs, model, smoothing=smoothing) == pytest.approx(expected, abs=1e-12)


def test_kl_is_the_formula():
    table, other = np.array([[1, 3], [2, 2]]), np.array([[1, 1], [1, 3]])
    expected = 4 / 8 * (1 / 4 * math.log(2 / 4) + 3 / 4 * math.log(6 / 4))
    expected += 4 / 8 * (1 / 2 * math.log(2) + 1 / 2 * math.log(2 / 3))
    assert counts.kl(table, other) == pytest.approx(expected)


def test_nll_is_the_mean_over_the_examples(shipped_names):
    v = vocab.build(shipped_names)
    tokens = corpus.encode(v, shipped_names)
    probs = counts.probabilities(counts.bigrams(tokens, v.size), smoothing=1)
    naive = np.mean([-math.log(probs[a, b]) for a, b in pairwise(tokens)])
    assert counts.nll(probs, counts.bigrams(tokens, v.size)) == pytest.approx(naive, rel=1e-12)


def test_an_impossible_pair_costs_infinitely_much():
    probs = np.array([[1.0, 0.0], [0.5, 0.5]])
    assert counts.nll(probs, np.array([[5, 1], [1, 1]])) == math.inf
    assert counts.nll(probs, np.array([[5, 0], [1, 1]])) < math.inf


def test_a_nan_is_not_taken_for_an_empty_row():
    assert math.isnan(counts.kl(np.ones((2, 2)), np.full((2, 2), np.nan)))


def test_spell_shows_each_pair_with_the_end():
    v = vocab.build(["ab", "b"])
    table = counts.bigrams(corpus.encode(v, ["ab", "b"]), v.size)
    rows = counts.spell("ab", counts.probabilities(table), v)
    assert [row.pair for row in rows] == [".a", "ab", "b."]
    assert [row.probability for row in rows] == [0.5, 1.0, 1.0]
    assert [row.nll for row in rows] == pytest.approx([math.log(2), 0, 0])
