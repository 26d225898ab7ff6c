"""Products in full precision: what an accelerator would be asked for."""

import jax
import numpy as np
import pytest

from mmjax import Predictor, data, evaluate, mlp, train
from mmjax.cli.devices import PRECISION, exact_products
from mmjax.train.steps import scan

TOKENS = np.array([*([0, 1, 2, 3, 0, 4, 4, 0, 5, 1] * 7), 0], np.uint8)
MODEL = mlp.MLP(vocab_size=7, embedding_dim=3, hidden_size=5, hidden_layers=2)
RECIPE = train.Recipe(batch_size=11, steps=20)


@pytest.fixture
def precision():
    """Return a function that sets the precision; afterwards it is as before."""
    before = getattr(jax.config, PRECISION)
    yield lambda name: jax.config.update(PRECISION, name)
    jax.config.update(PRECISION, before)


def products(function, *arguments):
    """Return the products of a function in the program for an NVIDIA GPU."""
    lowered = jax.jit(function).trace(*arguments).lower(lowering_platforms=("cuda",))
    return [line for line in lowered.as_text().splitlines() if "stablehlo.dot" in line]


def test_a_gpu_is_asked_for_float32_in_every_product(precision):
    """Rounded factors would change losses by more than 1e-4 of their size."""
    examples = data.of("windows", TOKENS, MODEL)
    state = train.init(MODEL, RECIPE, jax.random.key(0))
    predictor = Predictor(MODEL, state.params, state.stats)

    def train_some(state):
        return scan(MODEL, RECIPE, state, examples, steps=4)

    def predict(contexts):
        return predictor.logits(contexts)

    contexts = np.zeros((13, MODEL.block_size), np.int32)
    for function, argument in ((train_some, state), (predict, contexts)):
        precision(None)
        plain = products(function, argument)
        assert not any("HIGHEST" in line for line in plain)
        exact_products()
        found = products(function, argument)
        assert len(found) == len(plain) >= 3
        assert all("precision = [HIGHEST, HIGHEST]" in line for line in found)


def test_on_a_cpu_nothing_changes(precision):
    key, found = jax.random.key(0), []
    for name in (None, "highest"):
        precision(name)
        state, losses = train.run(MODEL, RECIPE, key, TOKENS)
        found.append((losses, evaluate.loss(train.predictor(MODEL, state), TOKENS), state.params))
    for one, other in zip(*map(jax.tree.leaves, found), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_the_user_has_set_stays(precision):
    precision("default")
    exact_products()
    assert getattr(jax.config, PRECISION) == "default"
