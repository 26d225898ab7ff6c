"""A table of every context gives the same logits as its model."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mmjax import InputError, Predictor, bigram, lookup, mlp
from mmjax.model import Model

KEY = jax.random.key(0)


def predictor(vocab_size, block_size):
    config = mlp.MLP(vocab_size, block_size, hidden_size=13, hidden_layers=2)
    return Predictor(config, *mlp.init(config, KEY))


@pytest.mark.slow
@pytest.mark.parametrize(("vocab_size", "block_size"), [(7, 3), (3, 5), (11, 1)])
def test_the_table_is_the_model_on_every_context(vocab_size, block_size):
    model = predictor(vocab_size, block_size)
    table = lookup.tabulate(model)
    contexts = np.array([*itertools.product(range(vocab_size), repeat=block_size)])
    assert lookup.size(model.model) == len(contexts)
    np.testing.assert_array_equal(
        lookup.index(table.model, jnp.asarray(contexts)), range(len(contexts))
    )
    shuffled = jnp.asarray(np.random.default_rng(0).permutation(contexts), jnp.uint8)
    np.testing.assert_allclose(table.logits(shuffled), model.logits(shuffled), atol=1e-6)


def test_a_bigrams_table_is_its_weights():
    params, _ = bigram.init(bigram.Bigram(), KEY)
    table = lookup.tabulate(Predictor(bigram.Bigram(), params, ()))
    np.testing.assert_array_equal(table.params.logits, params.weight)


def test_it_is_a_model_like_the_others():
    model = lookup.Table(7, 2)
    assert isinstance(model, Model)
    params, stats = model.init(KEY)
    logits, _ = model.apply(params, stats, jnp.zeros((3, 2), int), train=True)
    np.testing.assert_array_equal(logits, np.zeros((3, 7)))


@pytest.mark.parametrize(("vocab_size", "block_size"), [(27, 4), (300, 2), (10_000, 1)])
def test_what_is_too_large_is_refused(vocab_size, block_size):
    assert not lookup.fits(mlp.MLP(vocab_size, block_size))
    with pytest.raises(InputError, match=f"{vocab_size**block_size:,} contexts is too large"):
        lookup.Table(vocab_size, block_size)
