"""Noise in the contexts: what it changes, what it leaves, and what it does to counts."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mmjax import InputError, corpus, data, mlp, train, vocab
from mmjax.data import Batch, noised
from mmjax.data.noising import falling

MODEL = mlp.MLP(block_size=4, embedding_dim=3, hidden_size=11, hidden_layers=2)
KEY = jax.random.key(5)
MANY = 2**16


@pytest.fixture(scope="module")
def tokens(shipped_names):
    return corpus.encode(vocab.build(shipped_names), shipped_names[:997])


def both(kind, tokens, rates, many=MANY, model=MODEL):
    """Return the same examples without and with noise."""
    plain = data.of(kind, tokens, model)
    with_noise = noised(plain, tokens, model, rates)
    return draw(plain, many), draw(with_noise, many)


def draw(dataset, many) -> Batch:
    return jax.jit(lambda key: dataset.batch(dataset.draw(key, many)))(KEY)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["windows", "contexts"])
def test_a_rate_of_0_changes_nothing(tokens, kind):
    plain, same = both(kind, tokens, [0.0] * 4)
    jax.tree.map(np.testing.assert_array_equal, plain, same)
    recipe = train.Recipe(steps=12, batch_size=16, data=kind)
    quiet = noised(data.of(kind, tokens, MODEL), tokens, MODEL, [0.0] * 4)
    runs = [train.run(MODEL, recipe, KEY, each) for each in (tokens, quiet)]
    np.testing.assert_array_equal(runs[0][1], runs[1][1])


@pytest.mark.parametrize("kind", ["windows", "contexts"])
def test_targets_and_blanks_stay(tokens, kind):
    plain, noisy = both(kind, tokens, [1.0, 0.7, 0.5, 0.1])
    np.testing.assert_array_equal(plain.targets, noisy.targets)
    np.testing.assert_array_equal(plain.contexts == 0, noisy.contexts == 0)
    assert plain.contexts.dtype == noisy.contexts.dtype


def test_letters_are_replaced_at_the_rate_of_their_place_by_letters_of_the_list(tokens):
    rates = np.array([1.0, 0.5, 0.2, 0.0])
    plain, noisy = both("windows", tokens, rates)
    share = np.bincount(tokens, minlength=27) * (np.arange(27) > 0)
    share = share / share.sum()
    for place, rate in enumerate(rates):
        old, new = (np.asarray(batch.contexts[:, place]) for batch in (plain, noisy))
        old, new = old[old > 0], new[old > 0]
        # A new letter equals the old one by chance.
        expected = rate * (1 - share[old]).mean()
        assert abs((old != new).mean() - expected) < 5 * (0.25 / len(old)) ** 0.5
        if rate == 1:
            np.testing.assert_allclose(np.bincount(new, minlength=27) / len(new), share, atol=0.01)


@pytest.mark.slow
def test_noise_on_counts_is_interpolation_with_the_shorter_context(tokens):
    """Noise in the older of two letters mixes P(next | both letters) and P(next | last letter).

    The weights are those that count how often the context is met with its own letter, and how often
    with a new one.
    """
    model, rate, many = replace(MODEL, block_size=2), 0.3, 2**20
    noisy = draw(noised(data.of("windows", tokens, model), tokens, model, [rate, 0.0]), many)
    shape = (27, 27, 27)
    places = np.ravel_multi_index((*np.asarray(noisy.contexts).T, np.asarray(noisy.targets)), shape)
    met = np.bincount(places, minlength=27**3).reshape(shape)
    rows, following = corpus.windows(jnp.asarray(tokens), jnp.arange(len(tokens) - 1), 2)
    places = np.ravel_multi_index((*np.asarray(rows).T, np.asarray(following)), shape)
    counts = np.bincount(places, minlength=27**3).reshape(shape)[1:, 1:]

    share = np.bincount(tokens, minlength=27)[1:] / np.count_nonzero(tokens)
    own = (1 - rate) * counts.sum(axis=2)
    strange = rate * share[:, None] * counts.sum(axis=(0, 2))[None, :]
    weight = (own / np.maximum(own + strange, 1e-9))[:, :, None]
    longer = counts / np.maximum(counts.sum(axis=2, keepdims=True), 1)
    shorter = counts.sum(axis=0) / np.maximum(counts.sum(axis=(0, 2))[:, None], 1)
    mixed = weight * longer + (1 - weight) * shorter[None]

    seen = met[1:, 1:].sum(axis=2, keepdims=True)
    often = np.broadcast_to(seen > 100, mixed.shape)
    deviation = np.sqrt(np.maximum(mixed * (1 - mixed), 0) / np.maximum(seen, 1))
    gap = np.abs(met[1:, 1:] / np.maximum(seen, 1) - mixed)
    assert often.sum() > 1_000
    assert (gap <= 5 * deviation + 3 / np.maximum(seen, 1))[often].all()
    # Without the shorter context, the counts would be far from those that were met.
    assert (np.abs(longer - mixed) > 5 * deviation + 3 / np.maximum(seen, 1))[often].any()


@pytest.mark.slow
def test_a_network_trains_on_noise_and_differs_between_steps(tokens):
    noisy = noised(data.of("windows", tokens, MODEL), tokens, MODEL, falling(0.4, 4))
    recipe = train.Recipe(steps=40, batch_size=32)
    _, losses = train.run(MODEL, recipe, KEY, noisy)
    assert losses[-5:].mean() < losses[:5].mean()
    state = train.init(MODEL, recipe, KEY)
    first = train.draw_batch(MODEL, recipe, state, noisy)
    second = train.draw_batch(MODEL, recipe, state._replace(step=state.step + 1), noisy)
    assert (first.contexts != second.contexts).any()


def test_falling_rates_spare_the_newest_letter():
    np.testing.assert_allclose(falling(0.6, 4), [0.6, 0.4, 0.2, 0.0])
    np.testing.assert_allclose(falling(0.6, 1), [0.6])


@pytest.mark.parametrize(
    "rates", [[0.1], [0.1] * 5, [0.0, 0.0, 0.0, 1.1], [-0.1, 0, 0, 0], [np.nan, 0, 0, 0]]
)
def test_wrong_rates_are_refused(tokens, rates):
    with pytest.raises(InputError, match="must be 4 numbers from 0 to 1"):
        noised(data.of("windows", tokens, MODEL), tokens, MODEL, rates)


def test_wrong_letters_sizes_and_datasets_are_refused(tokens):
    windows = data.of("windows", tokens, MODEL)
    for wrong in (np.zeros(5, np.uint8), np.append(tokens, 200).astype(np.uint8)):
        with pytest.raises(InputError, match="from 1 to 26"):
            noised(windows, wrong, MODEL, [0.1] * 4)
    whole = data.of("all-contexts", tokens, MODEL)
    with pytest.raises(InputError, match="needs random examples"):
        noised(whole, tokens, MODEL, [0.1] * 4)
    noisy = noised(windows, tokens, MODEL, [0.1] * 4)
    with pytest.raises(InputError, match="block_size of 5"):
        data.of("windows", noisy, replace(MODEL, block_size=5))
