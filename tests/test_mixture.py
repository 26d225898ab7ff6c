"""Mixtures of models, counted and trained."""

import json
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tampered import rewrite

from mmjax import (
    InputError,
    Predictor,
    bigram,
    corpus,
    counting,
    evaluate,
    lookup,
    mixture,
    mlp,
    sample,
    vocab,
    weights,
)
from mmjax.counting import fitting
from mmjax.evaluate import losses as losses_of
from mmjax.model import Model, layer_names
from mmjax.models.mixture import Mixture

logits_of = jax.jit(Predictor.logits)
SMALL = mlp.MLP(vocab_size=27, embedding_dim=3, hidden_size=13, hidden_layers=2)


@pytest.fixture(scope="module")
def letters(shipped_names):
    return vocab.build(shipped_names)


@pytest.fixture(scope="module")
def held_out(shipped_names, letters):
    return corpus.encode(letters, shipped_names[5::101])


@pytest.fixture(scope="module")
def components(shipped_names, letters):
    """Two counted models and a network, of three context lengths."""
    tree = counting.grow(corpus.encode(letters, shipped_names[::23]), letters.size, 4)
    network = Predictor(SMALL, *mlp.init(SMALL, jax.random.key(0)))
    return [counting.of_tree(tree.cut(2)), counting.of_tree(tree), network]


@pytest.fixture(scope="module")
def geometric(components, held_out):
    return counting.geometric(components, held_out)


def examples(tokens, block_size):
    index = jnp.arange(len(tokens) - 1)
    return corpus.windows(jnp.asarray(tokens), index, block_size)


def mixed(components, kind, table):
    """Return a mixture with a table of weights [positions, components]."""
    parts = zip(*((each.model, each.params, each.stats) for each in components), strict=True)
    models, params, stats = map(tuple, parts)
    model = Mixture(models, kind, len(table))
    return Predictor(model, mixture.Params(params, jnp.asarray(table, jnp.float32)), stats)


def by_hand(components, kind, table, tokens):
    """Return the mixed probabilities in float64, with a loop over the examples."""
    logs = np.stack(
        [
            np.asarray(logits_of(one, examples(tokens, one.model.block_size)[0]))
            for one in components
        ],
        axis=1,
    ).astype(np.float64)
    logs -= np.log(np.exp(logs).sum(axis=2, keepdims=True))
    rows, letters = [], 0
    for i, log in enumerate(logs):
        letters = 0 if tokens[i] == 0 else letters + 1
        w = np.asarray(table, np.float64)[min(letters, len(table) - 1)]
        row = w @ np.exp(log) if kind == "linear" else np.exp(w @ log)
        rows.append(row / row.sum())
    return np.array(rows)


@pytest.mark.parametrize(
    ("kind", "positions"),
    [("geometric", 5), pytest.param("linear", 1, marks=pytest.mark.slow), ("linear", 5)],
)
def test_it_is_the_formula_at_every_position(components, held_out, kind, positions):
    tokens = held_out[:307]
    table = np.random.default_rng(0).normal(0.4, 0.5, (positions, 3))
    if kind == "linear":
        table = abs(table) / abs(table).sum(axis=1, keepdims=True)
    predictor = mixed(components, kind, table)
    assert predictor.model.block_size == max(4, positions - 1)
    logits = logits_of(predictor, examples(tokens, predictor.model.block_size)[0])
    expected = by_hand(components, kind, table, tokens)
    np.testing.assert_allclose(np.exp(logits), expected, rtol=2e-5, atol=1e-7)
    np.testing.assert_allclose(np.exp(logits).sum(axis=1), 1, rtol=1e-5)  # Z is exact


def test_the_position_is_the_number_of_letters(letters):
    tokens = corpus.encode(letters, ["a", "abcdefgh", "zz"])
    contexts, _ = examples(tokens, 5)
    expected = [0, 1, *range(9), 0, 1, 2]
    np.testing.assert_array_equal(corpus.letters_before(tokens), expected)
    for positions in (1, 4, 6):
        np.testing.assert_array_equal(
            mixture.position(contexts, positions), np.minimum(expected, positions - 1)
        )


@pytest.mark.parametrize("kind", mixture.KINDS)
@pytest.mark.parametrize("together", [losses_of.TOGETHER, 27 * 101])
def test_losses_by_distinct_contexts_are_those_of_every_context(
    components, held_out, kind, together, monkeypatch
):
    """Names begin alike, so contexts are computed once; pieces of 101 examples change nothing."""
    monkeypatch.setattr(losses_of, "TOGETHER", together)
    rng = np.random.default_rng(0)
    table = rng.dirichlet([1] * len(components), 5)
    nested = mixed([*components[1:], mixed(components, "linear", table)], kind, table)
    contexts, targets = examples(held_out, nested.model.block_size)
    expected = -jax.nn.log_softmax(nested.logits(contexts))[np.arange(len(targets)), targets]
    np.testing.assert_allclose(
        losses_of.example_losses(nested, held_out), expected, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("kind", mixture.KINDS)
def test_all_weight_on_one_component_is_that_component(components, held_out, kind):
    tokens = held_out[:307]
    for i, component in enumerate(components):
        alone = mixed(components, kind, np.tile(np.eye(3)[i], (5, 1)))
        logits = np.asarray(logits_of(alone, examples(tokens, 4)[0]))
        own = np.asarray(logits_of(component, examples(tokens, component.model.block_size)[0]))
        own = own - np.log(np.exp(own).sum(axis=1, keepdims=True))
        np.testing.assert_allclose(logits, own, atol=1e-5)


@pytest.mark.parametrize("kind", mixture.KINDS)
def test_a_probability_of_0_is_no_trouble(kind):
    table = np.array([[3, 1, 0], [1, 0, 1], [0, 2, 2]])
    zeros = Predictor(bigram.Bigram(3), bigram.from_counts(table), ())
    even = Predictor(bigram.Bigram(3), bigram.from_counts(np.ones((3, 3))), ())
    contexts = jnp.array([[0], [1], [2]])
    for share in (0.0, 0.3, 1.0):
        predictor = mixed([zeros, even], kind, [[share, 1 - share]])
        probs = np.exp(logits_of(predictor, contexts))
        assert np.isfinite(probs).all()
        np.testing.assert_allclose(probs.sum(axis=1), 1, rtol=1e-6)
        possible = (table > 0) | (share < 1 if kind == "linear" else share == 0)
        assert ((probs > 1e-9) == possible).all()
    fitted = getattr(counting, kind)([zeros, even], np.array([0, 1, 0, 2, 1, 0]))
    assert np.isfinite(fitted.params.weights).all()


def test_em_never_lowers_the_likelihood(components, held_out):
    logs = fitting.log_probs(components, held_out)
    rows = np.arange(len(logs))
    probs = np.exp(logs[rows, :, held_out[1:].astype(int)], dtype=np.float64)
    mix, found = np.array([0.01, 0.01, 0.98]), []
    for _ in range(50):
        mix, likelihood = fitting.em_step(mix, probs)
        found.append(likelihood)
        assert mix.sum() == pytest.approx(1)
    assert (np.diff(found) >= -1e-15).all()
    assert found[0] == pytest.approx(np.log(probs @ [0.01, 0.01, 0.98]).mean())
    same, _ = fitting.em_step(mix, np.zeros((5, 3)))  # no component can produce these
    np.testing.assert_array_equal(same, mix)


def test_em_of_two_components_finds_what_brute_force_finds(components, held_out):
    pair = components[:2]
    fitted = counting.linear(pair, held_out)
    logs = fitting.log_probs(pair, held_out)
    probs = np.exp(logs[np.arange(len(logs)), :, held_out[1:].astype(int)], dtype=np.float64)
    grid = np.linspace(0, 1, 2_001)
    losses = [-np.log(probs @ [w, 1 - w]).mean() for w in grid]
    (found,) = np.asarray(fitted.params.weights)
    assert found[0] == pytest.approx(grid[np.argmin(losses)], abs=2e-3)
    assert 0.05 < found[0] < 0.95
    assert evaluate.loss(fitted, held_out) == pytest.approx(min(losses), abs=1e-6)


def test_the_geometric_mixture_is_never_worse_than_a_component(components, geometric, held_out):
    loss = evaluate.loss(geometric, held_out)
    assert loss < min(evaluate.loss(one, held_out) for one in components)


@pytest.mark.parametrize("spread", [1.0, 0.1])
def test_the_geometric_weights_are_at_the_minimum(components, held_out, spread):
    """The gradient of the convex loss is zero there, and only there."""
    table = counting.geometric(components, held_out, spread=spread).params.weights
    at = jnp.asarray(np.minimum(corpus.letters_before(held_out), len(table) - 1), jnp.int32)
    logs = jnp.maximum(jnp.asarray(fitting.log_probs(components, held_out)), mixture.LEAST)
    rows, targets = jnp.arange(len(at)), jnp.asarray(held_out[1:], jnp.int32)

    def loss(weights, start):
        mixed = jnp.sum(weights[at][:, :, None] * logs, axis=1)
        nll = jax.nn.logsumexp(mixed, axis=1) - mixed[rows, targets]
        return jnp.mean(nll) + jnp.sum((weights - start) ** 2) / (2 * spread**2 * len(at))

    alone = [*np.eye(3), np.full(3, 1 / 3)]
    starts = [jnp.asarray(np.tile(row, (len(table), 1)), jnp.float32) for row in alone]
    start = min(starts, key=lambda start: loss(start, start))
    gradient = jax.jit(jax.grad(loss))(table, start)
    assert abs(gradient).max() < 1e-4
    # At a position that no example has, the weights stay where they start.
    unused = np.setdiff1d(np.arange(len(table)), np.asarray(at))
    np.testing.assert_array_equal(table[unused], start[unused])


def test_it_is_a_model_like_the_others(components, letters):
    model = mixed(components, "geometric", np.full((5, 3), 1 / 3)).model
    assert isinstance(model, Model)
    assert not lookup.fits(model)
    names = layer_names(model)
    assert names[:3] == ("0.logits", "1.logits", "2.input.linear")
    assert names[-1] == "logits"
    params, stats = jax.jit(model.init)(jax.random.key(0))
    contexts = jnp.zeros((7, 4), jnp.uint8)
    logits, new_stats = jax.jit(partial(model.apply, train=True))(params, stats, contexts)
    assert logits.shape == (7, letters.size)
    assert (new_stats[2].output.mean != stats[2].output.mean).any()  # the network's


def test_it_draws_names_and_is_saved_and_loaded_bitwise(tmp_path, geometric, letters):
    names = sample.names(geometric, letters, jax.random.key(0), 50)
    weights.save(tmp_path / "x", geometric, letters)
    loaded, _ = weights.load(tmp_path / "x")
    assert loaded.model == geometric.model
    jax.tree.map(np.testing.assert_array_equal, loaded, geometric)
    assert sample.names(loaded, letters, jax.random.key(0), 50) == names
    given, _ = weights.load(tmp_path / "x", model=geometric.model)
    assert given.model == geometric.model
    with pytest.raises(InputError, match="holds another model: kind geometric, not linear"):
        weights.load(tmp_path / "x", model=Mixture(geometric.model.components, "linear"))


def test_a_mixture_of_mixtures_with_probabilities_of_0_is_saved(tmp_path):
    letters = vocab.build(["ab"])
    rare = Predictor(bigram.Bigram(3), bigram.from_counts(np.eye(3)), ())
    inner = mixed([rare, rare], "linear", [[0.5, 0.5]])
    outer = mixed([inner, rare], "geometric", [[0.5, 0.5]])
    weights.save(tmp_path / "x", outer, letters)
    loaded, _ = weights.load(tmp_path / "x")
    jax.tree.map(np.testing.assert_array_equal, loaded, outer)


BIGRAM = {"model": "bigram", "config": {"vocab_size": 27}}
COUNTED = {"model": "kneser-ney", "config": {"vocab_size": 27, "block_size": 1, "nodes": [1, 27]}}


@pytest.mark.parametrize(
    ("components", "message"),
    [
        (
            [BIGRAM, {**BIGRAM, "model": "gpt"}],
            "the model 'gpt' is not one of bigram, mlp, kneser-",
        ),
        ([BIGRAM, {**BIGRAM, "model": []}], "unusable metadata"),
        ([BIGRAM, {**BIGRAM, "config": []}], "unusable metadata"),
        ([BIGRAM, 1], "unusable metadata"),
        ([BIGRAM] * 101, "a mixture has from 1 to 100 models, not 101"),
        (BIGRAM, "unusable metadata"),
        (7, "unusable metadata"),
        ([BIGRAM, {**COUNTED, "config": {**COUNTED["config"], "nodes": 9}}], "unusable metadata"),
        (
            [BIGRAM, {**COUNTED, "config": {**COUNTED["config"], "nodes": "ab"}}],
            "unusable metad|nodes",
        ),
        ([BIGRAM, {**COUNTED, "config": {**COUNTED["config"], "nodes": [1, 10**9]}}], "too large"),
        ([BIGRAM, COUNTED], "is missing"),
    ],
)
def test_a_file_that_describes_no_mixture_is_refused(tmp_path, letters, components, message):
    one = Predictor(bigram.Bigram(27), bigram.from_counts(np.ones((27, 27))), ())
    weights.save(tmp_path / "x", mixed([one, one], "linear", [[0.5, 0.5]]), letters)
    config = json.dumps({"components": components, "kind": "linear", "positions": 1})
    rewrite(tmp_path / "x", metadata={"config": config})
    with pytest.raises(InputError, match=message):
        weights.load(tmp_path / "x")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((), "linear"), "a mixture has from 1 to 100 models, not 0"),
        (((SMALL,), "median"), "kind must be one of linear, geometric, not 'median'"),
        (((SMALL,), "linear", 0), "positions must be a whole number from 1 to 1,000, not 0"),
        (((SMALL, bigram.Bigram(5)), "linear"), "vocabularies of 5 and 27 tokens; mix models of"),
    ],
)
def test_what_cannot_be_mixed_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        Mixture(*arguments)


@pytest.mark.parametrize("fit", [counting.linear, counting.geometric])
def test_what_cannot_be_fitted_is_refused(components, held_out, fit):
    for some, tokens, message in [
        ([], held_out, "a mixture has from 1 to 100 models, not 0"),
        (components, held_out[:1], "there is no example to fit the weights on"),
        (components, np.array([0, 27, 0]), "the data has the token 27"),
    ]:
        with pytest.raises(InputError, match=message):
            fit(some, tokens)


@pytest.mark.slow
def test_mixtures_on_the_lectures_list(makemore_names):
    letters, splits = vocab.build(makemore_names), corpus.split(makemore_names)
    train, val, test = (corpus.encode(letters, part) for part in splits)
    tree = counting.grow(train, letters.size, 6)
    cuts = [tree.cut(order) for order in (3, 4, 5, 6)]
    tuned = [counting.of_tree(cut, counting.tune_tree(cut, val)) for cut in cuts]
    for fit, losses in [
        (counting.linear, [1.9770, 1.9810]),
        (counting.geometric, [1.9550, 1.9570]),
    ]:
        predictor = fit(tuned, val)
        found = [evaluate.loss(predictor, tokens) for tokens in (val, test)]
        np.testing.assert_allclose(found, losses, atol=2e-4)
