"""Kneser-Ney against the paper's formula, written with dictionaries."""

import itertools
import math
from collections import Counter, defaultdict

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mmjax import (
    InputError,
    Predictor,
    Vocab,
    corpus,
    counting,
    evaluate,
    kneser_ney,
    lookup,
    sample,
    vocab,
    weights,
)
from mmjax.counting import smoothing, tuning
from mmjax.counting import tree as trees
from mmjax.model import Model, layer_names

logits_of = jax.jit(Predictor.logits)
TINY = ["abba", "ab", "a", "ba", "cab", "abc", "abba", "bab", "ccab", "aaa", "b", "acab"]


NOTHING = counting.Discounts(np.zeros((5, 3)), np.zeros(5))


class Oracle:
    """Modified Kneser-Ney as in Chen and Goodman, one number at a time."""

    def __init__(self, letters, names, order, discounts=None):
        self.size, self.order = letters.size, order
        times = [Counter() for _ in range(order + 1)]
        before = [defaultdict(set) for _ in range(order + 1)]
        for name in names:
            tokens = [0] * (order + 1) + [letters.characters.index(c) + 1 for c in name] + [0]
            for i in range(order + 1, len(tokens)):
                for k in range(order + 1):
                    gram = (*tokens[i - k : i], tokens[i])
                    times[k][gram] += 1
                    before[k][gram].add(tokens[i - k - 1])
        self.after = [defaultdict(dict) for _ in range(order + 1)]
        for k in range(order + 1):
            for gram, count in times[k].items():
                raw = k == order or (k > 0 and gram[0] == 0)
                self.after[k][gram[:-1]][gram[-1]] = count if raw else len(before[k][gram])
        if discounts is None:
            by_formula = np.array([*map(self.formula, self.after)])
            discounts = counting.Discounts(by_formula, np.zeros(order + 1))
        self.discounts = discounts

    @staticmethod
    def formula(level):
        n = Counter(count for after in level.values() for count in after.values())
        found = []
        for i in (1, 2, 3):
            value = i / 2
            if n[i] and n[1] + n[2]:
                value = i - (i + 1) * n[1] / (n[1] + 2 * n[2]) * n[i + 1] / n[i]
            found.append(min(max(value, 0), i))
        return found

    def probability(self, context, token):
        after = self.after[len(context)].get(context)
        lower = self.probability(context[1:], token) if context else 1 / self.size
        if after is None:
            return lower
        discounts = [0, *self.discounts.by_count[len(context)]]
        more = self.discounts.concentration[len(context)]
        total = sum(after.values()) + more
        free = sum(discounts[min(count, 3)] for count in after.values()) + more
        count = after.get(token, 0)
        return (count - discounts[min(count, 3)]) / total + free / total * lower

    def row(self, context):
        return [self.probability(context, token) for token in range(self.size)]


def grown(names, order):
    letters = vocab.build(names)
    return letters, trees.grow(corpus.encode(letters, names), letters.size, order)


def nodes(tree):
    """Return the contexts of all nodes, in the order of the table's rows."""
    levels: list[list[tuple[int, ...]]] = [[()]]
    for codes in tree.codes:
        parents, first = np.divmod(codes, tree.vocab_size)
        levels.append(
            [(f, *levels[-1][p]) for p, f in zip(parents.tolist(), first.tolist(), strict=True)]
        )
    return [context for level in levels for context in level]


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_every_row_is_the_papers_formula(shipped_names, order):
    names = shipped_names[::101][:211]
    letters, tree = grown(names, order)
    oracle = Oracle(letters, names, order)
    counted = smoothing.adjusted(tree)
    for ours, theirs in zip(smoothing.by_formula(counted), oracle.discounts, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-14)
    table = smoothing.table(tree)
    contexts = nodes(tree)
    assert len(contexts) == len({*contexts}) == sum(map(len, oracle.after))
    some = range(0, len(table), max(1, len(table) // 503))
    np.testing.assert_allclose(table[some], [oracle.row(contexts[i]) for i in some], atol=1e-12)
    np.testing.assert_allclose(table.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_every_context_seen_or_not(order):
    """In float64 it is the formula's to 1e-12, in float32 to rounding."""
    letters, tree = grown(TINY, order)
    oracle = Oracle(letters, TINY, order)
    contexts = [*itertools.product(range(letters.size), repeat=order)]
    expected = np.log([oracle.row(context) for context in contexts])
    with jax.enable_x64(True):
        exact = logits_of(counting.of_tree(tree), jnp.asarray(contexts, jnp.uint8))
        assert exact.dtype == jnp.float64
        np.testing.assert_allclose(exact, expected, atol=1e-12)
    predictor = counting.fit(corpus.encode(letters, TINY), letters.size, order)
    logits = logits_of(predictor, jnp.asarray(contexts, jnp.uint8))
    np.testing.assert_allclose(logits, expected, atol=2e-6)
    table = lookup.tabulate(predictor)
    np.testing.assert_array_equal(table.params.logits, logits)


@pytest.mark.parametrize(
    "names", [["ann"], ["a"], ["a", "b", "a"], ["ab"] * 7, ["ab", "ab", "ba"], TINY]
)
@pytest.mark.parametrize("order", [1, 7])
def test_tiny_lists_and_contexts_longer_than_any_name(names, order):
    letters = Vocab("abcdefgn")  # some of which the list does not have
    tree = trees.grow(corpus.encode(letters, names), letters.size, order)
    oracle, table = Oracle(letters, names, order), smoothing.table(tree)
    np.testing.assert_allclose(table, [oracle.row(node) for node in nodes(tree)], atol=1e-12)
    np.testing.assert_allclose(table.sum(axis=1), 1, atol=1e-12)
    assert (table > 0).all()


def test_any_discounts_in_their_ranges_give_distributions(shipped_names):
    names = shipped_names[::37]
    letters, tree = grown(names, 4)
    rng = np.random.default_rng(0)
    draws = counting.Discounts(rng.random((5, 3)) * smoothing.LARGEST, 3 * rng.random(5))
    for by_count in (draws.by_count, NOTHING.by_count, np.tile(smoothing.LARGEST, (5, 1))):
        table = smoothing.table(tree, draws._replace(by_count=by_count))
        np.testing.assert_allclose(table.sum(axis=1), 1, atol=1e-12)
        assert (table >= 0).all()
    oracle, contexts = Oracle(letters, names, 4, draws), nodes(tree)
    table = smoothing.table(tree, draws)
    for row in range(0, len(table), 997):
        np.testing.assert_allclose(table[row], oracle.row(contexts[row]), atol=1e-12)


def test_a_shorter_tree_is_the_tree_of_shorter_contexts(shipped_names):
    names = shipped_names[:307]
    _, longer = grown(names, 4)
    jax.tree.map(np.testing.assert_array_equal, longer.cut(2), grown(names, 2)[1])
    with pytest.raises(InputError, match="order must be from 1 to 4, not 5; grow more"):
        longer.cut(5)


@pytest.fixture(scope="module")
def parts(shipped_names):
    names = shipped_names[::11]
    letters = vocab.build(shipped_names)
    return letters, [corpus.encode(letters, part) for part in (names[:2_003], names[2_003:])]


def test_the_loss_is_the_mean_over_all_examples(parts):
    letters, (tokens, held_out) = parts
    tree = trees.grow(tokens, letters.size, 3)
    predictor, table = counting.of_tree(tree), smoothing.table(tree)
    for some in (tokens, held_out, held_out[:2]):
        expected = smoothing.nll(tree, table, some)
        assert evaluate.loss(predictor, some) == pytest.approx(expected, rel=1e-6)
    assert math.isnan(smoothing.nll(tree, table, held_out[:1]))


def test_it_is_a_model_like_the_others():
    letters, tree = grown(TINY, 3)
    predictor = counting.of_tree(tree)
    model: kneser_ney.KneserNey = predictor.model  # pyright: ignore[reportAssignmentType]
    assert isinstance(model, Model)
    assert layer_names(model) == ("logits",)
    params, stats = model.init(jax.random.key(0))
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, predictor.params)
    contexts = jnp.asarray(np.random.default_rng(0).integers(0, letters.size, (5, 7, 3)))
    logits, same = model.apply(params, stats, contexts[0], train=True, key=jax.random.key(1))
    np.testing.assert_array_equal(logits, np.zeros((7, letters.size)))
    assert same == stats == ()
    each = jnp.stack([predictor.logits(some) for some in contexts])
    np.testing.assert_array_equal(jax.jit(jax.vmap(predictor.logits))(contexts), each)
    trained, _ = model.apply(predictor.params, (), contexts[0], train=True)
    np.testing.assert_array_equal(trained, each[0])
    doubled, _ = model.apply(
        *(predictor.params, (), contexts[0]), train=False, tap=lambda name, x: x + x
    )
    np.testing.assert_array_equal(doubled, 2 * each[0])


def test_sampled_names_follow_it():
    """A chi-square test of the letters drawn after each context."""
    letters, tree = grown(TINY, 2)
    predictor = counting.of_tree(tree)
    drawn = corpus.encode(letters, sample.names(predictor, letters, jax.random.key(5), 9_973))
    index = jnp.arange(len(drawn) - 1)
    contexts, targets = corpus.windows(jnp.asarray(drawn), index, 2)
    codes = np.asarray(contexts, np.int64) @ [letters.size, 1]
    table = np.zeros((letters.size**2, letters.size))
    np.add.at(table, (codes, np.asarray(targets)), 1)
    probs = np.exp(lookup.tabulate(predictor).params.logits)
    expected = table.sum(axis=1, keepdims=True) * probs
    common = expected > 5
    statistic = (np.square(table - expected)[common] / expected[common]).sum()
    freedom = (1 - probs)[common].sum()  # the mean of the statistic
    assert freedom > 30
    assert abs(statistic - freedom) < 5 * math.sqrt(2 * freedom)


@pytest.mark.parametrize("discounts", [None, NOTHING])
def test_weights_are_saved_and_loaded_bitwise(tmp_path, discounts):
    """Without discounts, a letter that is not in the list has a probability of 0."""
    letters = Vocab("abcd")
    predictor = counting.fit(corpus.encode(letters, TINY), letters.size, 4, discounts)
    assert np.isneginf(predictor.params.log_probs).any() == (discounts is not None)
    weights.save(tmp_path / "x", predictor, letters)
    loaded, found = weights.load(tmp_path / "x")
    assert (loaded.model, found) == (predictor.model, letters)
    assert hash(loaded.model) == hash(predictor.model)
    jax.tree.map(np.testing.assert_array_equal, loaded, predictor)


@pytest.mark.slow
def test_tuned_discounts_have_the_lowest_validation_loss(parts):
    letters, (tokens, held_out) = parts
    tree = trees.grow(tokens, letters.size, 3)
    tuned = counting.tune(tokens, held_out, letters.size, 3)

    def loss(discounts):
        return smoothing.nll(tree, smoothing.table(tree, discounts), held_out)

    formula = smoothing.by_formula(smoothing.adjusted(tree))
    assert loss(tuned) < loss(formula) - 1e-4
    rng = np.random.default_rng(0)
    for size in (0.01, 0.03, 0.1, 0.3):
        for _ in range(10):
            other = counting.Discounts(
                np.clip(tuned.by_count + rng.normal(0, size, (4, 3)), 0, smoothing.LARGEST),
                tuned.concentration * np.exp(rng.normal(0, size, 4)),
            )
            # The prior moves the discounts a little from the lowest loss.
            assert loss(tuned) < loss(other) + 1e-5
    # The loss that is minimised is the model's.
    raw = jnp.asarray(rng.normal(size=(4, 4)), jnp.float32)
    chain = tuning.chain_of(tree, held_out)
    parts_of = (np.asarray(part, np.float64) for part in tuning.discounts_of(raw))
    expected = loss(counting.Discounts(*parts_of))
    assert float(tuning.loss(raw, chain, letters.size)) == pytest.approx(expected, rel=1e-5)


def test_what_cannot_be_counted_is_refused():
    tokens = np.array([0, 1, 2, 0, 3, 0], np.uint8)
    for arguments, message in [
        ((tokens, 4, 0), "order must be a whole number from 1 to 1,000, not 0"),
        ((tokens[:1], 4, 3), "an array of 1 tokens holds no example; encode at least one name"),
        ((tokens, 3, 3), "the data has the token 3, .* give a vocab_size of 4 or more"),
    ]:
        with pytest.raises(InputError, match=message):
            counting.fit(*arguments)
    with pytest.raises(InputError, match="at least 13, are too many for a table of 4 columns"):
        trees.grow(tokens, 4, 3, most=40)
    for by_count in (np.full((4, 3), 1.1), np.full((4, 3), -0.1), np.zeros((3, 3))):
        with pytest.raises(InputError, match="discounts must be 4 rows of three numbers"):
            counting.fit(tokens, 4, 3, counting.Discounts(by_count, np.zeros(4)))
    for concentration in (np.zeros(3), np.full(4, -0.1), np.full(4, np.nan)):
        with pytest.raises(InputError, match="the concentration must be 4 numbers from 0 on"):
            counting.fit(tokens, 4, 3, counting.Discounts(np.zeros((4, 3)), concentration))
    with pytest.raises(InputError, match="there is no example to tune on"):
        counting.tune(tokens, tokens[:1], 4, 3)


@pytest.mark.parametrize("nodes", [(), (1,), (1, 2), (2, 2, 2), (1, 2, 0), (1, 2, True)])
def test_sizes_that_cannot_be_are_refused(nodes):
    with pytest.raises(InputError, match="nodes must be 3 whole numbers above 0, first 1"):
        kneser_ney.KneserNey(5, 2, nodes)
    with pytest.raises(InputError, match="a table of 20,000,003 contexts and 5 tokens is too"):
        kneser_ney.KneserNey(5, 2, (1, 2, 20_000_000))


@pytest.fixture(scope="module")
def lecture(makemore_names):
    letters = vocab.build(makemore_names)
    splits = corpus.split(makemore_names)
    known = frozenset(splits.train)
    held_out = (splits.val, splits.test, corpus.unseen(splits.val, known))
    tree = trees.grow(corpus.encode(letters, splits.train), letters.size, 6)
    return tree, [corpus.encode(letters, names) for names in held_out]


@pytest.mark.parametrize(
    ("order", "losses"),
    [
        (1, [2.4534]),
        (2, [2.2193]),
        (3, [2.0564, 2.0596, 2.0783]),
        (4, [1.9883, 1.9912, 2.0231]),
        (5, [1.9966, 2.0002, 2.0431]),
        (6, [2.0336, 2.0384, 2.0891]),
    ],
)
def test_losses_on_the_lectures_list(lecture, order, losses):
    tree, held_out = lecture[0].cut(order), lecture[1][: len(losses)]
    table = smoothing.table(tree)
    found = [smoothing.nll(tree, table, tokens) for tokens in held_out]
    np.testing.assert_allclose(found, losses, atol=6e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("order", "losses"),
    [
        (3, [2.0546, 2.0583, 2.0767]),
        (4, [1.9844, 1.9880, 2.0183]),
        (5, [1.9873, 1.9916, 2.0269]),
        (6, [1.9919, 1.9961, 2.0321]),
    ],
)
def test_tuned_losses_on_the_lectures_list(lecture, order, losses):
    tree, held_out = lecture[0].cut(order), lecture[1]
    table = smoothing.table(tree, counting.tune_tree(tree, held_out[0]))
    found = [smoothing.nll(tree, table, tokens) for tokens in held_out]
    np.testing.assert_allclose(found, losses, atol=1.5e-4)
