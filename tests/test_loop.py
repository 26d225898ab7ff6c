"""The training loop: what metrics, sinks and stops receive.

None of them changes the training.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mmjax import bigram, corpus, counts, diagnostics, evaluate, members, metrics, train, vocab
from mmjax.data import AllContexts, context_table
from mmjax.train import loop

RECIPE = train.Recipe(steps=23, batch_size=13)
KEY = jax.random.key(5)


@pytest.fixture(scope="module")
def letters(shipped_names):
    return vocab.build(shipped_names)


@pytest.fixture(scope="module")
def tokens(letters, shipped_names):
    return corpus.encode(letters, shipped_names[:97])


@pytest.fixture(scope="module")
def model(letters):
    return bigram.Bigram(letters.size)


def assert_equal(a, b):
    jax.tree.map(np.testing.assert_array_equal, a._replace(key=0), b._replace(key=0))


def test_the_loop_is_the_run_in_one_whatever_is_measured(model, tokens):
    whole, losses = train.run(model, RECIPE, KEY, tokens)
    start, seen = train.init(model, RECIPE, KEY), []
    fitted = train.fit(
        *(model, RECIPE, start, tokens),
        chunk=4,
        observe=diagnostics.update_sizes,
        metrics=[metrics.losses(RECIPE), metrics.update_ratios],
        sinks=[lambda records, chunk: seen.append((records, chunk))],
    )
    assert_equal(fitted.state, whole)
    assert_equal(start, train.init(model, RECIPE, KEY))  # the given state is unchanged
    records, chunks = zip(*seen, strict=True)
    assert [chunk.step for chunk in chunks] == [4, 8, 12, 16, 20, 23]
    found = np.concatenate([chunk.losses for chunk in chunks], axis=1)
    np.testing.assert_array_equal(found, np.asarray(losses)[None, :])
    for (record,), chunk in zip(records, chunks, strict=True):
        assert record["step"] == chunk.step
        assert record["loss_batch"] == pytest.approx(chunk.losses.mean())
        assert record["loss_batch_low"] == chunk.losses.min()
        size = np.log10(np.linalg.norm(np.asarray(chunk.states[0].params.weight)))
        assert record["update_ratio/weight"] == pytest.approx(
            chunk.observed["weight"].mean() - size
        )
    assert (fitted.reason, fitted.stopped_at) == (None, [None])
    assert fitted.progress.initial_loss == [float(losses[0])]


def test_the_first_stop_with_a_reason_ends_training(model, tokens):
    asked = []
    fitted = train.fit(
        *(model, RECIPE, train.init(model, RECIPE, KEY), tokens),
        chunk=2,
        metrics=[metrics.losses(RECIPE)],
        stops=[
            lambda records: asked.append(records[0]["step"]),
            lambda records: "far enough" if records[0]["step"] >= 6 else None,
            lambda records: pytest.fail("after the end") if records[0]["step"] > 6 else None,
        ],
    )
    assert (fitted.reason, fitted.progress.step, asked) == ("far enough", 6, [2, 4, 6])
    resumed = train.fit(*(model, RECIPE, fitted.state, tokens), chunk=2, progress=fitted.progress)
    assert_equal(resumed.state, train.run(model, RECIPE, KEY, tokens)[0])


def test_members_are_fitted_as_alone(model, tokens):
    keys, looks = jax.random.split(KEY, 3), []
    together = train.fit(
        *(model, RECIPE, members.init(model, RECIPE, keys), tokens),
        chunk=4,
        metrics=[metrics.losses(RECIPE), metrics.validation(model, tokens, every=8)],
        sinks=[lambda records, chunk: looks.append([record.get("loss_val") for record in records])],
    )
    assert [any(look) for look in looks] == [False, True, False, True, False, False]
    for key, state in zip(keys, together.states, strict=True):
        alone, _ = train.run(model, RECIPE, key, tokens)
        np.testing.assert_allclose(state.params.weight, alone.params.weight, rtol=1e-5)


def test_numbers_that_are_not_finite_end_training_and_the_last_good_state_is_kept(
    model, tokens, monkeypatch
):
    chunks = itertools.count(1)
    advance = loop.advance

    def spoilt(*args, **kwargs):
        state, losses = advance(*args, **kwargs)
        if next(chunks) == 3:
            losses = losses.at[1:].set(jnp.nan)
        return state, losses

    monkeypatch.setattr(loop, "advance", spoilt)
    fitted = train.fit(*(model, RECIPE, train.init(model, RECIPE, KEY), tokens), chunk=4)
    assert (fitted.progress.step, fitted.stopped_at) == (8, [9])
    assert fitted.reason == "a number is not finite"
    assert str(fitted.progress.final_loss) == "[nan]"
    eight = train.Recipe(steps=8, batch_size=13)
    assert_equal(fitted.state, train.run(model, eight, KEY, tokens)[0])


def test_the_loop_trains_the_bigram_to_what_counting_says(letters, model, tokens):
    """Full-batch gradient descent comes close to the entropy floor.

    With a penalty, the loss is that of `bigram.loss`.
    """
    table = counts.bigrams(tokens, letters.size)
    data = AllContexts(context_table.collect(tokens, letters.size, 1))
    recipe = train.Recipe(steps=2_000, data="all-contexts", schedule="constant", learning_rate=50.0)
    fitted = train.fit(*(model, recipe, train.init(model, recipe, KEY), data), chunk=500)
    predictor = train.predictor(model, fitted.state)
    floor = counts.entropy_floor(table)
    assert floor <= evaluate.loss(predictor, tokens) < floor + 0.01
    # Tokens give the same as a table, since the recipe says what to draw.
    short = train.Recipe(steps=3, data="all-contexts", penalty=0.3)
    _, losses = train.run(model, short, KEY, tokens)
    first = train.init(model, short, KEY).params
    expected = bigram.loss(model, first, jnp.asarray(table), penalty=0.3)
    np.testing.assert_allclose(losses[0], expected, rtol=1e-6)
