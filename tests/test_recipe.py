"""Recipes as data: every setting does what its description says."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mmjax import InputError, bigram, corpus, members, train, vocab

KEY = jax.random.key(1)
MODEL = bigram.Bigram()
RECIPE = train.Recipe(steps=8, batch_size=13)


@pytest.fixture(scope="module")
def tokens(shipped_names):
    return corpus.encode(vocab.build(shipped_names), shipped_names[:97])


@pytest.fixture(autouse=True)
def promotion():
    """Allow a float to the power of an int, which optax's AdamW computes.

    Only the tests forbid it.
    """
    with jax.numpy_dtype_promotion("standard"):
        yield


def weight(recipe, tokens, **settings):
    state, _ = train.run(MODEL, recipe, KEY, tokens, **settings)
    return state.params.weight


@pytest.mark.parametrize(
    ("settings", "optimizer"),
    [
        ({}, optax.sgd(0.1)),
        ({"optimizer": "adamw", "weight_decay": 0.3}, optax.adamw(0.1, b2=0.99, weight_decay=0.3)),
        (
            {"optimizer": "nadamw", "weight_decay": 0.3},
            optax.nadamw(0.1, b2=0.99, weight_decay=0.3),
        ),
        ({"clip_norm": 0.01}, optax.chain(optax.clip_by_global_norm(0.01), optax.sgd(0.1))),
        ({"optimizer": "momentum", "beta1": 0.7}, optax.sgd(0.1, momentum=0.7)),
        pytest.param(
            {"optimizer": "nesterov"},
            optax.sgd(0.1, momentum=0.9, nesterov=True),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"optimizer": "lion", "weight_decay": 0.3},
            optax.lion(0.1, weight_decay=0.3),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"optimizer": "muon", "weight_decay": 0.3, "beta2": 0.999},
            optax.contrib.muon(0.1, weight_decay=0.3, adam_weight_decay=0.3),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["sgd", "adamw", "nadamw", "clip", "momentum", "nesterov", "lion", "muon"],
)
def test_an_optimizer_by_name_is_that_of_optax(settings, optimizer, tokens):
    named = weight(replace(RECIPE, **settings), tokens)
    np.testing.assert_allclose(named, weight(RECIPE, tokens, optimizer=optimizer), rtol=1e-5)


def test_momentums_weight_decay_is_decoupled(tokens):
    """One step subtracts lr * (gradient + decay * weight)."""
    settings = {"optimizer": "momentum", "steps": 1}
    start = np.asarray(train.init(MODEL, RECIPE, KEY).params.weight)
    plain = weight(replace(RECIPE, **settings), tokens)
    decayed = weight(replace(RECIPE, weight_decay=0.3, **settings), tokens)
    np.testing.assert_allclose(decayed, plain - 0.1 * 0.3 * start, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", train.SCHEDULES)
def test_a_schedule_is_its_formula(name):
    recipe = train.Recipe(
        steps=100, schedule=name, learning_rate=0.4, warmup_steps=20, drop_step=50, drop_factor=0.25
    )
    schedule = train.schedule_of(recipe)
    found = [np.asarray(schedule(step)) for step in (0, 10, 20, 60, 99)]
    by_hand = {
        "step": [0, 0.2, 0.4, 0.1, 0.1],
        "constant": [0, 0.2, 0.4, 0.4, 0.4],
        "linear": [0, 0.2, 0.4, 0.2, 0.4 / 80],
        "cosine": [0, 0.2, 0.4, 0.2, 0.4 * 0.5 * (1 + np.cos(np.pi * 79 / 80))],
        "one-cycle": [
            *(0.016, 0.208, 0.4, 0.2),
            1.6e-6 + (0.4 - 1.6e-6) * 0.5 * (1 + np.cos(np.pi * 79 / 80)),
        ],
        "rising": [0.4 * 1e6 ** (step / 99 - 1) for step in (0, 10, 20, 60, 99)],
    }
    np.testing.assert_allclose(found, by_hand[name], atol=1e-6)


def test_the_moving_average_is_the_formula(tokens):
    recipe = replace(RECIPE, ema_decay=0.9)
    state = train.init(MODEL, recipe, KEY)
    average = np.asarray(state.params.weight, np.float64)
    for _ in range(5):
        state, _ = train.advance(MODEL, recipe, state, tokens, steps=1)
        average = 0.9 * average + 0.1 * np.asarray(state.params.weight)
    np.testing.assert_allclose(state.ema.weight, average, rtol=1e-5)
    assert train.predictor(MODEL, state).params is state.ema
    plain = train.init(MODEL, RECIPE, KEY)
    assert plain.ema is None
    assert train.predictor(MODEL, plain).params is plain.params


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "optimizer", "values"),
    [
        ("learning_rate", "sgd", [0.05, 0.7]),
        pytest.param("drop_step", "sgd", [2, 6], marks=pytest.mark.slow),
        pytest.param("drop_factor", "sgd", [0.5, 0.0], marks=pytest.mark.slow),
        pytest.param("penalty", "sgd", [0.0, 3.0], marks=pytest.mark.slow),
        pytest.param("learning_rate", "nadamw", [0.05, 0.7], marks=pytest.mark.slow),
        pytest.param("weight_decay", "nadamw", [0.0, 0.5], marks=pytest.mark.slow),
    ],
)
def test_a_members_own_number_is_that_of_a_recipe_with_it(name, optimizer, values, tokens):
    recipe = replace(RECIPE, drop_step=4, optimizer=optimizer)
    keys = jnp.stack([KEY, KEY])
    states = members.init(MODEL, recipe, keys, hyper={name: np.array(values, np.float32)})
    states, _ = members.advance(MODEL, recipe, states, tokens, steps=8)
    found = states.params.weight
    for i, value in enumerate(values):
        alone = weight(replace(recipe, **{name: value}), tokens)
        np.testing.assert_allclose(found[i], alone, rtol=2e-5, atol=1e-6)
    assert not np.array_equal(found[0], found[1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "adm"}, "optimizer must be one of sgd, momentum, .*muon, not 'adm'"),
        ({"data": "names"}, "data must be one of windows, contexts, all-contexts, not 'names'"),
        ({"weight_decay": 0.1}, "sgd has no weight decay"),
        ({"ema_decay": 1.5}, "ema_decay must be a number from 0.0 to 1.0, not 1.5"),
    ],
)
def test_what_cannot_be_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        train.Recipe(**settings)


def test_distinct_contexts_cannot_be_collected_inside_jit(tokens):
    recipe = replace(RECIPE, data="contexts")
    with pytest.raises(InputError, match="cannot be collected inside jit or vmap; collect them"):
        jax.jit(lambda tokens: train.run(MODEL, recipe, KEY, tokens))(jnp.asarray(tokens))
