"""Options of the MLP: the law of each, and that all work together."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mmjax import Predictor, corpus, data, diagnostics, evaluate, layers, mlp, sample, train, vocab
from mmjax.diagnostics import snapshot
from mmjax.diagnostics.record import activation_layers
from mmjax.errors import InputError
from mmjax.model import layer_names, named
from mmjax.models import norms
from mmjax.models.activations import ACTIVATIONS
from mmjax.models.folding import fold_batchnorm
from mmjax.models.layers import Linear
from mmjax.models.norms import NORMS

init: Any = jax.jit(mlp.init, static_argnums=0)
apply: Any = jax.jit(mlp.apply, static_argnums=0, static_argnames="train")
predicted = jax.jit(Predictor.logits)
SMALL = mlp.MLP(vocab_size=11, block_size=5, embedding_dim=3, hidden_size=7, hidden_layers=3)
# Every option is on somewhere, and every norm and activation occurs.
COMPOSED = [
    replace(SMALL, norm="layer", activation="relu", residual=True, dropout=0.3, norm_input=True),
    replace(SMALL, norm="rms", activation="gelu", tied=True, position=True, norm_output=False),
    replace(SMALL, norm="none", activation="silu", widths=(13, 13, 5), residual=True, tied=True),
    replace(SMALL, norm="batch", norm_input=True, position=True, embedded=2, dropout=0.1),
]


def contexts(model=SMALL, count=17):
    """Return contexts of names: blanks, then letters."""
    rng = np.random.default_rng(5)
    rows = rng.integers(1, model.vocab_size, (count, model.block_size))
    blanks = np.arange(count) % (model.block_size + 1)
    return jnp.asarray(np.where(np.arange(model.block_size) < blanks[:, None], 0, rows), jnp.int32)


def made(model, seed=0):
    """Return parameters and statistics away from their initial values."""
    rng = np.random.default_rng(seed)

    def moved(leaf):
        return jnp.asarray(np.asarray(leaf) + 0.1 * rng.random(leaf.shape), jnp.float32)

    return jax.tree.map(moved, init(model, jax.random.key(seed)))


def logits_of(model, params, stats, x=None, **options):
    x = contexts(model) if x is None else x
    return apply(model, params, stats, x, **{"train": False} | options)[0]


def oracle(model, params, stats, rows):
    """Return the logits of evaluation, written from the formulas in NumPy."""
    functions = {
        "tanh": np.tanh,
        "relu": lambda x: np.maximum(x, 0),
        "gelu": lambda x: x / 2 * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))),
        "silu": lambda x: x / (1 + np.exp(-x)),
    }

    def norm(p, running, x):
        if p == ():
            return x
        if model.norm == "batch":
            return p.gamma * (x - running.mean) / np.sqrt(running.var + model.eps) + p.beta
        if model.norm == "layer":
            var = x.var(axis=1, keepdims=True)
            return p.gamma * (x - x.mean(axis=1, keepdims=True)) / np.sqrt(var + model.eps) + p.beta
        return p.gamma * x / np.sqrt((x**2).mean(axis=1, keepdims=True) + model.eps)

    f64 = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), (params, stats))
    params, stats = f64
    rows = np.asarray(rows)
    seen = rows[:, -model.embedded :] if model.embedded else rows
    x = params.embedding[seen].reshape(len(rows), -1) @ params.input.weight + params.input.bias
    if model.position:
        x = x + params.position[[sum(t != 0 for t in row) for row in rows]]
    x = functions[model.activation](norm(params.input_norm, stats.input, x))
    for block, running in zip(params.hidden, stats.hidden, strict=True):
        y = x @ block.linear.weight + block.linear.bias
        y = functions[model.activation](norm(block.norm, running, y))
        x = x + y if model.residual and x.shape == y.shape else y
    weight = params.output.linear.weight
    if model.tied:
        weight = weight @ params.embedding.T
    return norm(params.output.norm, stats.output, x @ weight + params.output.linear.bias)


@pytest.mark.parametrize("model", [SMALL, *COMPOSED])
def test_evaluation_is_the_formula(model):
    params, stats = made(model)
    expected = oracle(model, params, stats, contexts(model))
    np.testing.assert_allclose(logits_of(model, params, stats), expected, rtol=1e-4, atol=1e-5)


def test_the_defaults_are_the_lectures_network():
    params, stats = init(mlp.MLP(), jax.random.key(0))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 47_351
    assert "input_norm.gamma" not in named(params)
    assert layer_names(mlp.MLP())[:5] == (
        *("input.linear", "input.tanh", "hidden.0.linear", "hidden.0.norm", "hidden.0.tanh"),
    )
    assert len(jax.tree.leaves(stats)) == 10


def test_widths_are_the_sizes_of_the_layers():
    model = replace(SMALL, widths=(13, 5, 17))
    params, _ = init(model, jax.random.key(0))
    assert [leaf.shape for leaf in named(params).values() if leaf.ndim == 2] == [
        *((11, 3), (15, 13), (13, 5), (5, 17), (17, 11)),
    ]
    same = init(replace(SMALL, widths=(7, 7, 7)), jax.random.key(3))
    jax.tree.map(np.testing.assert_array_equal, same, init(SMALL, jax.random.key(3)))


@pytest.mark.parametrize("norm", ["layer", "rms"])
def test_a_norm_of_one_example_does_not_see_the_others(norm):
    model = replace(SMALL, norm=norm)
    params, stats = made(model)
    rows = contexts(model)
    among = logits_of(model, params, stats, rows, train=True)
    alone = logits_of(model, params, stats, rows[3:4], train=True)
    np.testing.assert_allclose(among[3], alone[0], rtol=1e-5, atol=1e-6)


def test_layer_norm_ignores_shift_and_scale_and_rms_norm_scale_alone():
    x = jax.random.normal(jax.random.key(0), (5, 13))
    for name, shift, scale in (("layer", 3.0, 7.0), ("rms", 0.0, 7.0)):
        norm = NORMS[name]
        params, stats = norm.init(13, gamma=2.0)
        y, _ = norm.apply(params, stats, x, train=True, eps=1e-12)
        same, _ = norm.apply(params, stats, scale * x + shift, train=False, eps=1e-12)
        np.testing.assert_allclose(y, same, atol=1e-4)
        size = jnp.sqrt(jnp.mean(y**2, axis=1))
        np.testing.assert_allclose(size, 2.0, rtol=1e-4)
    shifted, _ = norms.rms_norm(norms.rms_norm_init(13)[0], (), x + 3, train=True)
    unshifted, _ = norms.rms_norm(norms.rms_norm_init(13)[0], (), x, train=True)
    assert abs(shifted - unshifted).max() > 0.1


def test_dropout_keeps_the_mean_and_drops_its_part():
    x = jnp.ones((211, 503))
    y = layers.dropout(jax.random.key(0), x, 0.3)
    np.testing.assert_allclose(np.unique(y), [0.0, 1 / 0.7], rtol=1e-6)
    count = x.size
    assert abs(float((y == 0).mean()) - 0.3) < 4 * (0.3 * 0.7 / count) ** 0.5


def test_dropout_needs_a_key_in_training_and_is_off_in_evaluation():
    model = replace(SMALL, dropout=0.5)
    params, stats = made(SMALL)
    np.testing.assert_array_equal(logits_of(model, params, stats), logits_of(SMALL, params, stats))
    with pytest.raises(InputError, match="dropout needs a key in training"):
        logits_of(model, params, stats, train=True)
    first, again, other = (
        logits_of(model, params, stats, train=True, key=jax.random.key(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert abs(first - other).max() > 0.1


def test_every_layer_drops_other_units():
    model = replace(SMALL, dropout=0.5, activation="relu", norm="none")
    params, stats = made(model)
    key = jax.random.key(0)
    _, outputs = diagnostics.record(model, params, stats, contexts(), train=True, key=key)
    names = [name for name in layer_names(model) if name.endswith("dropout")]
    dropped = [
        (outputs[name] == 0) & (outputs[name.replace("dropout", "relu")] != 0) for name in names
    ]
    assert len(names) == 3
    for a, b in pairwise(dropped):
        assert (a != b).any()


def test_a_residual_layer_adds_what_came_in():
    model = replace(SMALL, residual=True)
    params, stats = made(model)
    _, outputs = diagnostics.record(model, params, stats, contexts(), train=True)
    before = outputs["input.tanh"]
    for i in range(2):
        after = outputs[f"hidden.{i}.residual"]
        np.testing.assert_allclose(after, before + outputs[f"hidden.{i}.tanh"], rtol=1e-6)
        before = after
    with pytest.raises(InputError, match="residual needs two hidden layers of the same size"):
        replace(SMALL, residual=True, widths=(3, 5, 7))


def test_tied_weights_are_a_product_with_the_embedding():
    tied = replace(SMALL, tied=True)
    params, stats = made(tied)
    weight = params.output.linear.weight @ params.embedding.T
    assert weight.shape == (7, 11)
    linear = Linear(weight, params.output.linear.bias)
    untied = params._replace(output=params.output._replace(linear=linear))
    np.testing.assert_allclose(
        logits_of(tied, params, stats), logits_of(SMALL, untied, stats), rtol=1e-5, atol=1e-6
    )

    # A token that no context has learns through the output alone.
    def loss(params):
        return (logits_of(tied, params, stats, contexts(tied) % 7, train=True) ** 3).sum()

    grad = jax.grad(loss)(params).embedding
    assert abs(grad[7:]).min() > 0


@pytest.mark.parametrize("tied", [pytest.param(False, marks=pytest.mark.slow), True])
def test_initial_logits_have_the_same_size_with_every_output(tied):
    rows = contexts(SMALL, 64)
    for norm, norm_output in (("batch", True), ("batch", False), ("none", True), ("rms", False)):
        model = replace(
            SMALL, hidden_size=101, embedding_dim=31, norm=norm, norm_output=norm_output, tied=tied
        )
        stds = []
        for seed in range(3):
            params, stats = init(model, jax.random.key(seed))
            stds.append(logits_of(model, params, stats, rows, train=True).std())
        assert 0.05 < np.mean(stds) < 0.2


def test_the_position_is_the_length_of_the_name_so_far():
    """Two contexts with the same embedded letters differ by their length alone."""
    model = replace(SMALL, position=True, embedded=2)
    params, stats = made(model)
    rows = jnp.array([[0, 0, 0, 1, 2], [0, 0, 3, 1, 2], [0, 0, 9, 1, 2], [0, 4, 5, 1, 2]])
    logits = logits_of(model, params, stats, rows)
    np.testing.assert_array_equal(logits[1], logits[2])
    assert abs(logits[0] - logits[1]).max() > 1e-3 < abs(logits[1] - logits[3]).max()
    blind = replace(model, position=False)
    same = logits_of(blind, params._replace(position=()), stats, rows)
    np.testing.assert_array_equal(same[0], same[3])


@pytest.mark.parametrize("norm_input", [False, True])
@pytest.mark.parametrize("norm_output", [False, True])
def test_folding_batchnorm_leaves_the_logits(norm_input, norm_output):
    options = {"norm_input": norm_input, "norm_output": norm_output, "tied": True}
    model = replace(SMALL, position=True, residual=True, dropout=0.2, **options)
    predictor = Predictor(model, *made(model))
    folded = fold_batchnorm(predictor)
    assert isinstance(folded.model, mlp.MLP)
    assert folded.model.norm == "none"
    assert not jax.tree.leaves(folded.stats)
    np.testing.assert_allclose(
        predicted(folded, contexts()), predicted(predictor, contexts()), rtol=1e-4, atol=1e-5
    )
    assert not [name for name in layer_names(folded.model) if name.endswith("norm")]
    with pytest.raises(InputError, match="has no BatchNorm to fold"):
        fold_batchnorm(folded)


@pytest.mark.parametrize("name", ["relu", "gelu", "silu"])
def test_saturated_means_hardly_any_gradient(name):
    activation = ACTIVATIONS[name]
    x = jnp.linspace(-12, 12, 2_001)
    slope = abs(jax.vmap(jax.grad(activation.function))(x))
    saturated = activation.saturated(np.asarray(activation.function(x)))
    near_zero = abs(np.asarray(x)) < 0.021  # where gelu and silu cannot be told from flat
    assert (slope[saturated & ~near_zero] < 0.06).all()
    assert (np.asarray(x)[~saturated] > -7).all()
    assert saturated[np.asarray(x) < -7].all()


@pytest.fixture(scope="module")
def tokens(shipped_names):
    return corpus.encode(vocab.build(shipped_names), shipped_names[:997])


@pytest.mark.parametrize(
    "options",
    [pytest.param(o, marks=pytest.mark.slow) for o in COMPOSED],
)
def test_every_option_trains_evaluates_samples_and_is_looked_into(options, tokens, shipped_names):
    model = replace(options, vocab_size=27)
    recipe = train.Recipe(steps=60, batch_size=31, learning_rate=0.1)
    state, losses = train.run(model, recipe, jax.random.key(0), jnp.asarray(tokens))
    assert losses[-10:].mean() < losses[:10].mean() - 0.1
    predictor = train.predictor(model, state)
    exact = evaluate.calibrate(predictor, tokens)
    assert evaluate.loss(exact, tokens) < 3.2
    assert len(sample.names(predictor, vocab.build(shipped_names), jax.random.key(0), 7)) == 7
    examples = data.of("windows", jnp.asarray(tokens), model)
    seen = snapshot.take(model, recipe, state, examples)
    names = [name for _, name in activation_layers(model)]
    assert len(names) == len(model.layer_sizes) - 2
    for table in (seen.activations, seen.gradients):
        assert [row.name for row in table] == names
    diagnostics.health(diagnostics.Evidence(seen.activations, seen.gradients))


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("widths", (3, 0), "widths must be at most 100 whole numbers"),
        ("widths", (3,) * 101, "widths must be at most 100 whole numbers"),
        ("dropout", 1.0, "dropout must be a number from 0.0 to 0.99"),
        ("embedded", 6, "embedded must be a whole number from 0 to 5"),
        ("norm", "group", "norm must be one of batch, layer, rms, none"),
    ],
)
def test_options_that_make_no_network_are_refused(option, value, message):
    with pytest.raises(InputError, match=message):
        replace(SMALL, **{option: value})
