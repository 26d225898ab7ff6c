"""Values built the same way are equal and compile once; others differ."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mmjax import bigram, corpus, train, vocab
from mmjax.static import Static

OPTIMIZERS = {
    "sgd": lambda rate: optax.sgd(rate, momentum=0.9),
    "adam": lambda rate: optax.adam(rate),
    "schedule": lambda rate: optax.adamw(optax.cosine_decay_schedule(rate, 100)),
    "chain": lambda rate: optax.chain(optax.clip_by_global_norm(1.0), optax.nadamw(rate)),
    "masked": lambda rate: optax.masked(optax.adam(rate), {"a": True}),
    "manual": lambda rate: train.sgd(optax.constant_schedule(rate)),
    "muon": lambda rate: optax.contrib.muon(rate),
}


@pytest.mark.parametrize("build", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_an_optimizer_that_is_built_anew_is_equal(build):
    one, same, other = Static(build(0.1)), Static(build(0.1)), Static(build(0.2))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1, 1.0),
        (1, True),
        (0.0, -0.0),
        (np.float32(1), np.float64(1)),
        (np.zeros(3), np.zeros((3, 1))),
        (jnp.zeros(3), np.zeros(3, np.float32)),
        (jax.random.key(0), jax.random.key(1)),
        ([1], (1,)),
        (object(), object()),
        (bigram.Bigram(5), bigram.Bigram(7)),
        (partial(max, 1), partial(max, 2)),
    ],
)
def test_values_that_compile_to_other_programs_differ(a, b):
    def captures(value):
        return lambda: value

    assert Static(captures(a)) == Static(captures(a))
    assert Static(captures(a)) != Static(captures(b))


def test_functions_that_call_themselves_or_each_other_are_equal_to_themselves():
    def build(limit):
        def even(n):
            return n == limit or odd(n - 1)

        def odd(n):
            return n != limit and even(n - 1)

        return even

    assert Static(build(0)) == Static(build(0))
    assert Static(build(0)) != Static(build(1))


@pytest.fixture(scope="module")
def tokens(shipped_names):
    return jnp.asarray(corpus.encode(vocab.build(shipped_names), shipped_names[:97]))


@pytest.mark.parametrize("trainer", [train, train.members])
def test_an_optimizer_and_an_observer_written_inline_compile_once(tokens, trainer):
    model, recipe, traced = bigram.Bigram(), train.Recipe(batch_size=7), []
    key = jax.random.key(0)
    keys = key if trainer is train else jax.random.split(key, 2)
    hook = traced.append  # one object, so that all observers are equal
    state = trainer.init(model, recipe, keys, optimizer=optax.sgd(0.1, momentum=0.5))
    counts = []
    for _ in range(3):
        state, _ = trainer.advance(
            *(model, recipe, state, tokens),
            steps=2,
            optimizer=optax.sgd(0.1, momentum=0.5),
            observe=lambda params, updates: hook(1) or jnp.sum(params.weight),
        )
        counts.append(len(traced))
    assert counts[0] > 0
    assert counts == counts[:1] * 3


def test_an_optimizer_that_is_not_hashable_trains(tokens):
    class Unhashable(optax.GradientTransformation):
        __hash__ = None  # pyright: ignore[reportAssignmentType]

    optimizer = Unhashable(*optax.sgd(0.1))
    model, recipe = bigram.Bigram(), train.Recipe(steps=4, batch_size=7)
    _, losses = train.run(model, recipe, jax.random.key(0), tokens, optimizer=optimizer)
    _, same = train.run(model, recipe, jax.random.key(0), tokens, optimizer=optax.sgd(0.1))
    np.testing.assert_array_equal(losses, same)


@pytest.mark.slow
@pytest.mark.parametrize(
    "optimizer",
    [
        optax.chain(optax.sgd(10.0), optax.contrib.reduce_on_plateau(patience=10)),
        optax.polyak_sgd(max_learning_rate=1.0),
        optax.contrib.momo(1.0),
        optax.lbfgs(memory_size=3),
    ],
    ids=["reduce_on_plateau", "polyak_sgd", "momo", "lbfgs"],
)
def test_optimizers_that_ask_for_the_loss_learn(tokens, optimizer):
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        recipe = train.Recipe(steps=40, batch_size=501)
        _, losses = train.run(
            bigram.Bigram(), recipe, jax.random.key(0), tokens, optimizer=optimizer
        )
    assert losses[-5:].mean() < losses[0] - 0.3
