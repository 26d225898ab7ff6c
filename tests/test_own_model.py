"""A user's own model, a GRU, works wherever the library's models do."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mmjax import (
    InputError,
    Predictor,
    checkpoint,
    corpus,
    counts,
    diagnostics,
    evaluate,
    lookup,
    members,
    sample,
    train,
    vocab,
    weights,
)
from mmjax.data import Batch, context_table
from mmjax.model import Model, layer_names, no_tap
from mmjax.models.layers import Linear, linear, linear_init


class Params(NamedTuple):
    embedding: jax.Array
    gates: Linear
    candidate: Linear
    output: Linear


@dataclass(frozen=True)
class GRU:
    """A gated recurrent unit.

    Cho et al., Learning Phrase Representations, section 2.3 (https://arxiv.org/abs/1406.1078).
    """

    vocab_size: int = 27
    block_size: int = 5
    embedding_dim: int = 7
    hidden_size: int = 13

    def init(self, key):
        keys = jax.random.split(key, 4)
        size, both = self.hidden_size, self.hidden_size + self.embedding_dim
        params = Params(
            embedding=jax.random.normal(keys[0], (self.vocab_size, self.embedding_dim)),
            gates=linear_init(keys[1], both, 2 * size),
            candidate=linear_init(keys[2], both, size),
            output=linear_init(keys[3], size, self.vocab_size),
        )
        return params, ()

    def apply(self, params, stats, contexts, *, train, key=None, tap=no_tap):
        state = jnp.zeros((len(contexts), self.hidden_size))
        for i in range(self.block_size):
            x = params.embedding[contexts[:, i]]
            both = linear(params.gates, jnp.concatenate([state, x], axis=1))
            reset, update = jnp.split(jax.nn.sigmoid(both), 2, axis=1)
            new = linear(params.candidate, jnp.concatenate([reset * state, x], axis=1))
            new = tap(f"step.{i}.tanh", jnp.tanh(new))
            state = tap(f"step.{i}", update * state + (1 - update) * new)
        return tap("output", linear(params.output, state)), stats


MODEL = GRU()
RECIPE = train.Recipe(steps=24, batch_size=11, learning_rate=0.3)
KEY = jax.random.key(3)


@pytest.fixture(scope="module")
def letters(shipped_names):
    return vocab.build(shipped_names)


@pytest.fixture(scope="module")
def tokens(shipped_names, letters):
    return corpus.encode(letters, shipped_names[:997])


@pytest.fixture(scope="module")
def trained(tokens):
    recipe = train.Recipe(steps=600, batch_size=61, learning_rate=0.3)
    return train.run(MODEL, recipe, KEY, tokens)


@pytest.fixture(scope="module")
def predictor(trained):
    state, _ = trained
    return Predictor(MODEL, state.params, state.stats)


def test_it_follows_the_protocol_and_learns(trained):
    assert isinstance(MODEL, Model)
    _, losses = trained
    assert losses[-50:].mean() < losses[:10].mean() - 0.5


@pytest.mark.slow
def test_members_side_by_side_are_single_runs(tokens):
    keys = jax.random.split(KEY, 2)
    states = members.init(MODEL, RECIPE, keys)
    states, losses = members.advance(MODEL, RECIPE, states, tokens, steps=24)
    for i, member in enumerate(members.unstack(states)):
        alone, alone_losses = train.run(MODEL, RECIPE, keys[i], tokens)
        np.testing.assert_allclose(losses[i], alone_losses, rtol=1e-4)
        np.testing.assert_allclose(member.params.embedding, alone.params.embedding, atol=1e-4)


@pytest.mark.slow
def test_it_trains_on_distinct_contexts_with_any_optimizer(tokens):
    data = context_table.collect(tokens, MODEL.vocab_size, MODEL.block_size)
    with jax.numpy_dtype_promotion("standard"):  # adam raises a float to the power of its step
        recipe = train.Recipe(steps=100, batch_size=61)
        _, losses = train.run(MODEL, recipe, KEY, data, optimizer=optax.adam(0.01))
    assert losses[-20:].mean() < losses[0] - 0.3


@pytest.mark.slow
def test_it_is_evaluated_checked_and_sampled(predictor, letters, tokens):
    flat = jnp.asarray(tokens)
    index = jnp.arange(len(tokens) - 1)
    windows, targets = corpus.windows(flat, index, MODEL.block_size)
    log_probs = jax.nn.log_softmax(predictor.logits(windows))
    nll = -np.mean(np.asarray(log_probs)[index, targets])
    assert evaluate.loss(predictor, tokens) == pytest.approx(float(nll), rel=1e-5)
    expected = evaluate.expected_bigrams(predictor, tokens)
    np.testing.assert_allclose(
        expected.sum(axis=1), counts.bigrams(tokens, 27).sum(axis=1), rtol=1e-4
    )
    names = sample.names(predictor, letters, jax.random.key(1), 5, prefix="an")
    assert len(names) == 5
    assert all(name.startswith("an") for name in names)


def test_without_statistics_there_is_nothing_to_recalibrate(predictor, tokens):
    assert evaluate.calibrate(predictor, tokens) is predictor


@pytest.mark.slow
def test_a_short_context_becomes_a_table():
    model = GRU(vocab_size=5, block_size=3)
    predictor = Predictor(model, *model.init(KEY))
    table = lookup.tabulate(predictor)
    some = jnp.array([[0, 0, 4], [1, 2, 3], [4, 4, 4]])
    np.testing.assert_allclose(table.logits(some), predictor.logits(some), atol=1e-6)


@pytest.mark.slow
def test_its_weights_are_saved_and_loaded(tmp_path, predictor, letters):
    weights.save(tmp_path / "own", predictor, letters)
    loaded, found = weights.load(tmp_path / "own", model=MODEL)
    assert (loaded.model, found) == (MODEL, letters)
    jax.tree.map(np.testing.assert_array_equal, loaded.params, predictor.params)
    for given, message in [(None, "GRU' is not one of"), (GRU(hidden_size=17), "13, not 17")]:
        with pytest.raises(InputError, match=message):
            weights.load(tmp_path / "own", model=given)


@pytest.mark.slow
def test_a_checkpoint_resumes_as_if_never_stopped(tmp_path, tokens, letters):
    # Every call builds a new optimizer, so the optimizers of two calls are different objects.
    def optimizer():
        return optax.sgd(0.1, momentum=0.5)

    def advance(state, steps):
        return train.advance(MODEL, RECIPE, state, tokens, steps=steps, optimizer=optimizer())[0]

    def start():
        return train.init(MODEL, RECIPE, KEY, optimizer=optimizer())

    saved: Any = checkpoint.Checkpoint(MODEL, RECIPE, letters, "0", advance(start(), 10), {})
    checkpoint.save(tmp_path / "c", saved)
    loaded = checkpoint.load(tmp_path / "c", model=MODEL, optimizer=optimizer())
    assert loaded.model == MODEL
    resumed, whole = advance(loaded.state, 14), advance(start(), 24)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
        (resumed.params, resumed.opt_state),
        (whole.params, whole.opt_state),
    )
    with pytest.raises(InputError, match="GRU' is not one of"):
        checkpoint.load(tmp_path / "c")


@pytest.mark.slow
def test_every_layers_output_and_gradient_is_seen(predictor, tokens):
    batch = corpus.windows(jnp.asarray(tokens), jnp.arange(31), MODEL.block_size)
    inside = diagnostics.inspect(MODEL, predictor.params, (), Batch(*batch))
    names = layer_names(MODEL)
    layers = [f"step.{i}{part}" for i in range(5) for part in (".tanh", "")]
    assert names == (*layers, "output")
    assert set(inside.outputs) == set(inside.output_grads) == set(names)
    # By the chain rule, it is the softmax minus the target, divided by the batch size.
    probs = jax.nn.softmax(inside.outputs["output"])
    expected = (probs - jax.nn.one_hot(batch[1], 27)) / 31
    np.testing.assert_allclose(inside.output_grads["output"], expected, atol=1e-6)
    activations = diagnostics.activations(MODEL, inside.outputs)
    assert [row.layer for row in activations] == [0, 2, 4, 6, 8]
    findings = diagnostics.health(
        diagnostics.Evidence(activations, diagnostics.gradients(MODEL, inside))
    )
    assert not [finding for finding in findings if finding.symptom == "dead units"]


def test_a_tap_replaces_a_layers_output(predictor):
    def silence(name, x):
        return jnp.zeros_like(x) if name == "step.4" else x

    some = jnp.array([[1, 2, 3, 4, 5]])
    logits, _ = MODEL.apply(predictor.params, (), some, train=False, tap=silence)
    np.testing.assert_allclose(logits[0], predictor.params.output.bias, atol=1e-6)
