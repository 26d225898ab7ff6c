import copy
import dataclasses
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mmjax import InputError, Predictor, corpus, diagnostics, mlp
from mmjax.model import parameter_count
from mmjax.models.activations import ACTIVATIONS, Activation

MODEL = mlp.MLP(vocab_size=11, block_size=5, embedding_dim=3, hidden_size=13, hidden_layers=3)


@pytest.fixture
def model():
    return mlp.init(MODEL, jax.random.key(0))


def contexts(batch=17, seed=1):
    return jax.random.randint(jax.random.key(seed), (batch, MODEL.block_size), 0, 11)


def test_the_lectures_network_has_47_351_parameters():
    params, stats = mlp.init(mlp.MLP(), jax.random.key(0))
    assert parameter_count(params) == 47_351
    assert params.embedding.size == 270
    assert parameter_count(params.input) == 3_100
    assert [parameter_count(block.linear) for block in params.hidden] == [10_100] * 4
    assert [parameter_count(block.norm) for block in params.hidden] == [200] * 4
    assert parameter_count(params.output.linear) == 2_727
    assert parameter_count(params.output.norm) == 54
    assert [leaf.shape for leaf in jax.tree.leaves(stats)] == [(100,)] * 8 + [(27,)] * 2


def test_initial_scales():
    params, _ = mlp.init(mlp.MLP(), jax.random.key(0))
    assert float(params.embedding.std()) == pytest.approx(1, rel=0.1)
    assert float(params.input.weight.std()) == pytest.approx(5 / 3 / 30**0.5, rel=0.05)
    for block in params.hidden:
        assert float(block.linear.weight.std()) == pytest.approx(5 / 3 / 10, rel=0.05)
        assert (block.norm.gamma == 1).all()
    assert float(params.output.linear.weight.std()) == pytest.approx(5 / 3 / 10, rel=0.05)
    np.testing.assert_allclose(params.output.norm.gamma, 0.1)


def test_the_first_guess_is_nearly_uniform():
    config = mlp.MLP()
    params, stats = mlp.init(config, jax.random.key(0))
    index = jax.random.randint(jax.random.key(1), (997, 3), 0, 27)
    logits, _ = mlp.apply(config, params, stats, index, train=True)
    entropy = -(jax.nn.softmax(logits) * jax.nn.log_softmax(logits)).sum(-1).mean()
    assert np.log(27) - 0.02 < float(entropy) <= np.log(27)


@pytest.mark.parametrize("layers", [1, 2, 5])
def test_any_depth(layers):
    config = mlp.MLP(vocab_size=11, hidden_size=13, hidden_layers=layers)
    params, stats = mlp.init(config, jax.random.key(0))
    assert len(params.hidden) == len(stats.hidden) == layers - 1
    logits, new = mlp.apply(config, params, stats, jnp.zeros((4, 3), jnp.uint8), train=True)
    assert logits.shape == (4, 11)
    assert jax.tree.structure(new) == jax.tree.structure(stats)


def test_training_moves_every_statistic_and_evaluation_none(model):
    params, stats = model
    _, moved = mlp.apply(MODEL, params, stats, contexts(), train=True)
    _, kept = mlp.apply(MODEL, params, stats, contexts(), train=False)
    for old, new, same in zip(*map(jax.tree.leaves, (stats, moved, kept)), strict=True):
        assert (old != new).all()
        np.testing.assert_array_equal(old, same)


def test_evaluation_of_a_row_does_not_depend_on_its_batch_mates(model):
    params, stats = model
    among, _ = mlp.apply(MODEL, params, stats, contexts(), train=False)
    for row in range(3):
        alone, _ = mlp.apply(MODEL, params, stats, contexts()[row : row + 1], train=False)
        np.testing.assert_allclose(among[row], alone[0], rtol=1e-4, atol=1e-6)


def test_a_permuted_batch_gives_permuted_logits(model):
    params, stats = model
    order = jax.random.permutation(jax.random.key(3), 17)
    logits, _ = mlp.apply(MODEL, params, stats, contexts(), train=True)
    permuted, _ = mlp.apply(MODEL, params, stats, contexts()[order], train=True)
    np.testing.assert_allclose(permuted, logits[order], rtol=1e-4, atol=1e-5)


def test_the_gradient_tells_what_an_example_sees(model):
    """The tokens that an example sees are the embedding rows with a gradient.

    Each letter occurs once, so a row belongs to one place.
    """
    params, stats = model
    tokens = jnp.array([0, 1, 2, 3, 0, 4, 5, 6, 7, 8, 9, 10, 0], jnp.uint8)
    seen_by = {
        0: {0},  # before the first letter: only blanks
        2: {0, 1, 2},  # . . . a b
        4: {0},  # a new name sees nothing of the one before it
        6: {0, 4, 5},
        10: {5, 6, 7, 8, 9},  # five letters back, not the sixth, and never the target
    }
    for example, expected in seen_by.items():
        context, _ = corpus.windows(tokens, jnp.array([example]), MODEL.block_size)

        def output(embedding, context=context):
            logits, _ = mlp.apply(
                MODEL, params._replace(embedding=embedding), stats, context, train=False
            )
            return (logits**2).sum()

        grad = jax.grad(output)(params.embedding)
        assert set(np.flatnonzero(abs(grad).sum(axis=1))) == expected


def test_biases_before_a_batch_norm_have_no_gradient(model):
    params, stats = model

    def output(params):
        logits, _ = mlp.apply(MODEL, params, stats, contexts(), train=True)
        return (logits[:, 3] ** 3).sum()

    grad = jax.jit(jax.grad(output))(params)
    assert abs(grad.input.bias).max() > 1e-3
    for block in (*grad.hidden, grad.output):
        assert abs(block.linear.bias).max() < 1e-5 < abs(block.norm.beta).max()


def test_jit_changes_nothing(model):
    params, stats = model
    jitted = jax.jit(mlp.apply, static_argnames="train")
    plain = mlp.apply(MODEL, params, stats, contexts(), train=True)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
        jitted(MODEL, params, stats, contexts(), train=True),
        plain,
    )


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("block_size", 0),
        ("hidden_layers", 0),
        ("hidden_size", -3),
        ("gain", float("nan")),
        ("gain", float("inf")),
        ("eps", 0.0),
        ("momentum", 1.1),
    ],
)
def test_options_out_of_range(option, value):
    with pytest.raises(InputError, match=f"{option} must be a .*number from .* not {value!r}"):
        mlp.MLP(**{option: value})


def test_a_predictor_is_pickled_copied_and_taken_apart(model):
    predictor = Predictor(MODEL, *model)
    fields = dataclasses.asdict(predictor)
    assert fields["model"] == dataclasses.asdict(MODEL)
    for other in (pickle.loads(pickle.dumps(predictor)), copy.deepcopy(predictor)):
        assert other.model == MODEL
        jax.tree.map(np.testing.assert_array_equal, other, predictor)


def test_an_unknown_activation_or_norm_is_refused():
    for field in ("activation", "norm"):
        with pytest.raises(InputError, match=f"{field} must be one of .*, not 'nonsense'"):
            dataclasses.replace(MODEL, **{field: "nonsense"})


def test_another_activation_is_one_entry(monkeypatch, model):
    """The forward pass and the tables both use this entry."""
    params, stats = model
    leaky = Activation(
        lambda x: jnp.where(x > 0, x, 0.01 * x),
        saturated=lambda output: output < 0,
        dead=lambda output: output < 0,
        max_saturation=50.0,
    )
    monkeypatch.setitem(ACTIVATIONS, "leaky", leaky)
    config = dataclasses.replace(MODEL, activation="leaky")
    _, outputs = diagnostics.record(config, params, stats, contexts(), train=True)
    linear = np.asarray(outputs["input.linear"])
    np.testing.assert_allclose(
        outputs["input.leaky"], np.where(linear > 0, linear, 0.01 * linear), rtol=1e-6
    )
    rows = diagnostics.activations(config, outputs)
    assert [row.name for row in rows] == ["input.leaky", "hidden.0.leaky", "hidden.1.leaky"]
    assert rows[0].saturation == pytest.approx(100 * (linear < 0).mean())
    assert rows[0].dead == (linear < 0).all(axis=0).sum()
