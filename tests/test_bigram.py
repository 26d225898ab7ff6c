from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mmjax import InputError, bigram, corpus, counts, train, vocab

MODEL = bigram.Bigram(vocab_size=27)


@pytest.fixture(scope="module")
def table(shipped_names):
    return counts.bigrams(corpus.encode(vocab.build(shipped_names), shipped_names), 27)


def descend(table, *, learning_rate, steps, penalty, seed=0):
    params, _ = bigram.init(MODEL, jax.random.key(seed))
    loss = partial(bigram.loss, MODEL, penalty=penalty)
    optimizer = train.sgd(optax.constant_schedule(learning_rate))
    params, losses = train.minimize(loss, optimizer, params, jnp.asarray(table), steps=steps)
    return np.asarray(bigram.probabilities(MODEL, params), np.float64), losses


def test_a_row_of_logits_is_the_lectures_one_hot_product():
    params, stats = bigram.init(MODEL, jax.random.key(0))
    contexts = jnp.array([[3], [0], [26]], jnp.uint8)
    logits, new_stats = bigram.apply(MODEL, params, stats, contexts, train=True)
    np.testing.assert_allclose(
        logits, jax.nn.one_hot(contexts[:, 0], 27) @ params.weight, rtol=1e-6
    )
    assert new_stats == stats == ()


def test_the_table_of_counts_is_the_full_batch(shipped_names):
    """The loss over counts and its gradient equal those over all examples."""
    names = shipped_names[:307]
    tokens = jnp.asarray(corpus.encode(vocab.build(shipped_names), names))
    contexts, targets = corpus.windows(tokens, jnp.arange(len(tokens) - 1), 1)
    params, _ = bigram.init(MODEL, jax.random.key(1))

    def over_examples(params):
        logits, _ = bigram.apply(MODEL, params, (), contexts, train=True)
        return train.cross_entropy(logits, targets) + 0.01 * (params.weight**2).mean()

    over_counts = partial(
        bigram.loss,
        MODEL,
        counts=jnp.asarray(counts.bigrams(np.asarray(tokens), 27)),
        penalty=0.01,
    )
    value, grad = jax.jit(jax.value_and_grad(over_examples))(params)
    counted_value, counted_grad = jax.jit(jax.value_and_grad(over_counts))(params)
    np.testing.assert_allclose(counted_value, value, rtol=1e-5)
    np.testing.assert_allclose(counted_grad.weight, grad.weight, atol=1e-6)


def test_from_counts_predicts_the_table(table):
    for smoothing in (0.0, 1.0):
        params = bigram.from_counts(table, smoothing=smoothing)
        np.testing.assert_allclose(
            bigram.probabilities(MODEL, params),
            counts.probabilities(table, smoothing=smoothing),
            atol=1e-6,
        )


def test_the_gradient_is_zero_at_the_unsmoothed_log_counts(table):
    loss_and_grad = jax.value_and_grad(partial(bigram.loss, MODEL, penalty=0.0))
    floor, at_counts = loss_and_grad(bigram.from_counts(table), jnp.asarray(table))
    above, elsewhere = loss_and_grad(bigram.from_counts(table, smoothing=100), jnp.asarray(table))
    assert float(floor) == pytest.approx(counts.entropy_floor(table), rel=1e-6)
    assert abs(at_counts.weight).max() < 1e-7
    assert above > floor
    assert abs(elsewhere.weight).max() > 1e-3


def test_without_penalty_it_converges_to_counting(table):
    probs, losses = descend(table, learning_rate=50.0, steps=10_000, penalty=0.0)
    floor = counts.entropy_floor(table)
    assert floor <= counts.nll(probs, table) < floor + 2e-4
    assert abs(probs - counts.probabilities(table)).max() < 2e-3
    assert (np.diff(losses[-5_000::1_000]) < 0).all()  # the loss is still falling


def test_with_penalty_it_approaches_a_smoothed_table(table):
    """A penalty has an effect like smoothing.

    Some table smoothed by +k is far nearer than the unsmoothed one.
    """
    probs, _ = descend(table, learning_rate=50.0, steps=5_000, penalty=0.01)

    def distance(smoothing):
        smoothed = counts.probabilities(table, smoothing=smoothing)
        return counts.kl(table.sum(axis=1, keepdims=True) * smoothed, probs)

    assert min(map(distance, range(5, 15))) < distance(0) / 5
    assert (probs[table == 0] > 1e-4).all()


def test_any_number_of_steps_in_any_pieces(table):
    whole, _ = descend(table, learning_rate=50.0, steps=7, penalty=0.01)
    assert not np.array_equal(whole, descend(table, learning_rate=50.0, steps=6, penalty=0.01)[0])
    untrained, losses = descend(table, learning_rate=50.0, steps=0, penalty=0.01)
    assert losses.shape == (0,)
    params, _ = bigram.init(MODEL, jax.random.key(0))
    np.testing.assert_array_equal(untrained, np.asarray(bigram.probabilities(MODEL, params)))


@pytest.mark.parametrize("size", [0, 1, -1, 65_537, True])
def test_sizes_out_of_range(size):
    with pytest.raises(InputError, match="vocab_size must be a whole number from 2 to 65,536"):
        bigram.Bigram(vocab_size=size)
