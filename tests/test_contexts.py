from collections import Counter
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mmjax import InputError, corpus, mlp, train, vocab
from mmjax.data import context_table

MODEL = mlp.MLP(vocab_size=27, embedding_dim=3, hidden_size=17, hidden_layers=2)


@pytest.fixture(scope="module")
def tokens(shipped_names):
    return corpus.encode(vocab.build(shipped_names), shipped_names[:997])


def windows(tokens, block_size):
    """Yield every example as (context, target), cut in plain Python."""
    for i in range(len(tokens) - 1):
        context = [0] * block_size
        for back in range(min(block_size, i + 1)):
            if tokens[i - back] == 0:
                break
            context[-1 - back] = int(tokens[i - back])
        yield tuple(context), int(tokens[i + 1])


@pytest.mark.slow
@pytest.mark.parametrize("block_size", [1, 2, 3, 5, 7, 8, 13, 29])
@pytest.mark.parametrize("piece", [2**22, 101])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_collected_contexts_are_the_counted_ones(tokens, block_size, piece, dtype, monkeypatch):
    monkeypatch.setattr(context_table, "PIECE", piece)
    found = context_table.collect(tokens.astype(dtype), 27, block_size)
    assert found.contexts.dtype == dtype
    examples = list(windows(tokens, block_size))
    counted = Counter(context for context, _ in examples)
    pairs = Counter(examples)
    assert [tuple(row) for row in np.asarray(found.contexts).tolist()] == sorted(counted)
    np.testing.assert_array_equal(
        np.diff(found.ends, prepend=0), [counted[context] for context in sorted(counted)]
    )
    for context, following in zip(sorted(counted), np.asarray(found.next_probs), strict=True):
        expected = [pairs[context, token] / counted[context] for token in range(27)]
        np.testing.assert_allclose(following, expected, rtol=1e-6)


@pytest.mark.parametrize(("base", "columns"), [(3, 5), (251, 7), (8_192, 11), (65_521, 13)])
def test_distinct_rows_are_those_of_a_set(base, columns):
    """Eight tokens of one byte fill 64 bits, four of two; longer rows are numbered on the way."""
    rng = np.random.default_rng(0)
    some = rng.integers(base, size=(61, columns)).astype(np.uint16)
    some[-1], some[-2] = base - 1, 0
    some[:17, 1:] = some[17:34, 1:]  # rows that differ in the first token alone
    rows = some[rng.integers(61, size=997)]
    first, index = context_table.distinct(rows)
    listed = [tuple(row) for row in rows.tolist()]
    assert [listed[i] for i in first] == sorted({*listed})
    assert all(listed.index(row) in first for row in listed)
    np.testing.assert_array_equal(rows[first][index], rows)


def test_loss_and_gradient_over_all_examples_are_the_same(tokens):
    """Distinct contexts remove the noise of the targets and learn the same."""
    params, stats = mlp.init(MODEL, jax.random.key(0))
    found = context_table.collect(tokens, 27, 3)
    examples = len(tokens) - 1
    row = np.searchsorted(found.ends, np.arange(examples), side="right")

    def loss(params, batch):
        inputs, targets = batch
        logits, _ = mlp.apply(MODEL, params, stats, inputs, train=True)
        return train.cross_entropy(logits, targets)

    gradient = jax.jit(jax.value_and_grad(loss))
    all_examples = corpus.windows(jnp.asarray(tokens), jnp.arange(examples), 3)
    expected = gradient(params, all_examples)
    found = gradient(params, (found.contexts[row], found.next_probs[row]))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6)


def test_a_batch_draws_each_context_as_often_as_the_list_has_it(tokens):
    found = context_table.collect(tokens, 27, 1)
    recipe = replace(train.RECIPES["fast"], batch_size=2**18)
    index = found.draw(jax.random.key(1), recipe.batch_size)
    drawn = np.bincount(index, minlength=len(found.ends)) / recipe.batch_size
    expected = np.diff(found.ends, prepend=0) / (len(tokens) - 1)
    # Five standard deviations at most: 0.25 is the largest variance of one draw.
    np.testing.assert_allclose(drawn, expected, atol=5 * (0.25 / recipe.batch_size) ** 0.5)


def test_a_batch_holds_the_drawn_rows(tokens):
    found = context_table.collect(tokens, 27, 3)
    recipe = replace(train.RECIPES["fast"], batch_size=7)
    with jax.numpy_dtype_promotion("standard"):
        state = train.init(MODEL, recipe, jax.random.key(0))
    inputs, targets, _ = train.draw_batch(MODEL, recipe, state, found)
    index = found.draw(jax.random.fold_in(state.key, state.step), recipe.batch_size)
    np.testing.assert_array_equal(inputs, found.contexts[index])
    np.testing.assert_array_equal(targets, found.next_probs[index])
    assert targets.shape == (7, 27)


def test_too_many_contexts_are_refused_before_they_take_the_memory(tokens, monkeypatch):
    monkeypatch.setattr(context_table, "MAX_NUMBERS", 1_000)
    with pytest.raises(InputError, match=r"[\d,]+ distinct contexts of 3 characters are too many"):
        context_table.collect(tokens, 27, 3)


def test_the_fast_schedule_rises_and_falls_in_straight_lines():
    recipe = replace(train.RECIPES["fast"], steps=100, warmup_steps=20, learning_rate=0.3)
    schedule = train.schedule_of(recipe)
    found = np.array([schedule(step) for step in (0, 10, 20, 60, 100)])
    np.testing.assert_allclose(found, [0, 0.15, 0.3, 0.15, 0], atol=1e-7)
    short = train.schedule_of(replace(train.RECIPES["fast"], steps=5, warmup_steps=20))
    assert all(0 <= np.asarray(short(step)) <= 0.02 for step in range(6))
