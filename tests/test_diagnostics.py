from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mmjax import corpus, data, diagnostics, metrics, mlp, train, vocab
from mmjax.diagnostics import snapshot
from mmjax.model import layer_names, no_tap
from mmjax.models.activations import ACTIVATIONS

RECIPE = train.Recipe()
jitted_inspect = jax.jit(diagnostics.inspect, static_argnums=0)


@pytest.fixture(scope="module")
def tokens(shipped_names):
    return jnp.asarray(corpus.encode(vocab.build(shipped_names), shipped_names))


def trained(config, recipe, tokens, *, steps, change=lambda params: params):
    """Train from changed initial parameters; return (state, losses, update ratios)."""
    state = train.init(config, recipe, jax.random.key(0))
    state = state._replace(params=change(state.params))
    state, (losses, ratios) = train.advance(
        config, recipe, state, tokens, steps=steps, observe=diagnostics.update_ratios
    )
    return state, losses, ratios


def inspected(config, recipe, state, tokens):
    batch = train.draw_batch(config, recipe, state, tokens)
    return jitted_inspect(config, state.params, state.stats, batch)


def symptoms(config, recipe, tokens, *, steps=0, change=lambda params: params):
    """Return what `health` finds after a real run."""
    state, losses, ratios = trained(config, recipe, tokens, steps=steps, change=change)
    inside = inspected(config, recipe, state, tokens)
    many = inspected(config, train.Recipe(batch_size=1024), state, tokens)
    findings = diagnostics.health(
        diagnostics.Evidence(
            diagnostics.activations(config, many.outputs),
            diagnostics.gradients(config, inside),
            update_ratios={k: float(v[-100:].mean()) for k, v in ratios.items()} if steps else None,
            initial_loss=float(losses[0]) if steps else None,
            final_loss=float(losses[-100:].mean()) if steps else None,
        )
    )
    return {(f.symptom, f.where.split(" (")[0]) for f in findings}


def test_layers_carry_the_lectures_numbers():
    names = layer_names(mlp.MLP())
    assert [i for i, name in enumerate(names) if name.endswith("tanh")] == [1, 4, 7, 10, 13]
    assert (len(names), names[0], names[-1]) == (16, "input.linear", "output.norm")


def test_inspection_is_the_training_step_seen_from_inside(tokens):
    config = mlp.MLP(hidden_size=17, hidden_layers=3)
    state = train.init(config, RECIPE, jax.random.key(1))
    batch = train.draw_batch(config, RECIPE, state, tokens)
    inside = jitted_inspect(config, state.params, state.stats, batch)
    contexts, targets, _ = batch

    def loss(params):
        logits, _ = mlp.apply(config, params, state.stats, contexts, train=True)
        return train.cross_entropy(logits, targets)

    value, grads = jax.jit(jax.value_and_grad(loss))(state.params)
    np.testing.assert_allclose(inside.loss, value, rtol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), inside.grads, grads)
    assert set(inside.outputs) == set(inside.output_grads) == set(layer_names(config))
    # By the chain rule, the gradient at a layer's output gives that of its bias, summed over the
    # batch, and that of its weights, multiplied by the input.
    for name, layer, below in (
        ("output", grads.output.linear, "hidden.1.tanh"),
        ("hidden.1", grads.hidden[1].linear, "hidden.0.tanh"),
        ("hidden.0", grads.hidden[0].linear, "input.tanh"),
    ):
        at_output = inside.output_grads[f"{name}.linear"]
        np.testing.assert_allclose(at_output.sum(axis=0), layer.bias, atol=1e-6)
        np.testing.assert_allclose(inside.outputs[below].T @ at_output, layer.weight, atol=1e-6)
    tanh, linear = inside.outputs["input.tanh"], inside.outputs["input.linear"]
    np.testing.assert_allclose(tanh, jnp.tanh(linear), rtol=1e-6)
    np.testing.assert_allclose(
        inside.output_grads["input.linear"],
        inside.output_grads["input.tanh"] * (1 - tanh**2),
        atol=1e-7,
    )


def test_tables_are_the_formulas(tokens):
    config = mlp.MLP(hidden_size=17, hidden_layers=2)
    state = train.init(config, RECIPE, jax.random.key(1))
    inside = inspected(config, RECIPE, state, tokens)
    out = np.array(inside.outputs["hidden.0.tanh"], np.float64)
    out[:, 3], out[:, 5] = 0.995, -0.98  # a dead unit, and one that is only saturated
    changed = inside._replace(
        outputs=inside.outputs | {"hidden.0.tanh": jnp.asarray(out, jnp.float32)}
    )
    _, row = diagnostics.activations(config, changed.outputs)
    assert (row.layer, row.name, row.dead) == (4, "hidden.0.tanh", 1)
    assert row.mean == pytest.approx(out.mean(), rel=1e-5)
    assert row.std == pytest.approx(out.std(ddof=1), rel=1e-5)
    assert row.saturation == pytest.approx(100 * (abs(out) > 0.97).mean(), abs=1e-9)
    assert row.saturation > 200 / 17
    of_examples = 100 * (abs(out) > 0.97).mean(axis=1)
    expected = of_examples.std(ddof=1) / len(out) ** 0.5
    assert row.saturation_error == pytest.approx(expected, rel=1e-6)
    rows = diagnostics.weight_gradients(state.params, inside.grads)
    assert [(r.name, r.shape) for r in rows] == [
        ("embedding", (27, 10)),
        ("input.weight", (30, 17)),
        ("hidden.0.linear.weight", (17, 17)),
        ("output.linear.weight", (17, 27)),
    ]
    grad, weight = np.asarray(inside.grads.input.weight), np.asarray(state.params.input.weight)
    assert rows[1].ratio == pytest.approx(grad.std(ddof=1) / weight.std(ddof=1), rel=1e-5)
    norm = diagnostics.norms(state.params)["input.weight"]
    assert norm == pytest.approx(np.linalg.norm(weight), rel=1e-5)


@pytest.mark.slow
def test_update_ratios_are_nearly_the_lectures(tokens):
    """Update ratios are nearly log10((lr * grad).std() / p.data.std()).

    Observing them at every step does not change the training.
    """
    config = mlp.MLP(hidden_size=17, hidden_layers=2)
    state = train.init(config, RECIPE, jax.random.key(1))
    inside = inspected(config, RECIPE, state, tokens)
    lecture = {
        name: np.log10((0.1 * np.asarray(g)).std() / np.asarray(w).std())
        for (name, g), w in zip(
            diagnostics.weights(inside.grads).items(),
            diagnostics.weights(state.params).values(),
            strict=True,
        )
    }
    watched, losses, ratios = trained(config, RECIPE, tokens, steps=7)
    plain, plain_losses = train.run(config, train.Recipe(steps=7), jax.random.key(0), tokens)
    np.testing.assert_array_equal(losses, plain_losses)
    jax.tree.map(np.testing.assert_array_equal, watched.params, plain.params)
    assert {ratio.shape for ratio in ratios.values()} == {(7,)}
    _, (_, first) = train.advance(
        config, RECIPE, state, tokens, steps=1, observe=diagnostics.update_ratios
    )
    assert set(first) == set(lecture)
    for name, ratio in first.items():
        assert float(ratio[0]) == pytest.approx(lecture[name], abs=0.02)


@pytest.mark.slow
def test_a_healthy_run_is_silent(tokens):
    assert symptoms(mlp.MLP(gain=1.0), RECIPE, tokens, steps=1_000) == set()


@pytest.mark.slow
def test_the_lectures_own_network_has_at_most_a_saturated_first_layer(tokens):
    found = symptoms(mlp.MLP(), RECIPE, tokens, steps=1_000)
    assert found <= {("saturated tanh", "layer 1")}


@pytest.mark.parametrize(("above", "found"), [(-9, 0), (1.9, 0), (2.1, 1), (9, 1), (np.nan, 1)])
def test_saturation_is_found_two_standard_errors_above_the_limit(above, found):
    limit, error = ACTIVATIONS["tanh"].max_saturation, 0.08
    row = diagnostics.Activation(10, "a.tanh", 0.0, 0.7, limit + above * error, error, 0)
    assert len(diagnostics.health(diagnostics.Evidence([row]))) == found


def test_findings_are_graded_and_the_gravest_comes_first():
    def row(layer, saturation):
        return diagnostics.Activation(layer, "a.tanh", 0.0, 0.7, saturation, 0.1, 0)

    found = diagnostics.health(
        diagnostics.Evidence(
            [row(1, 54.0), row(4, 15.9), row(7, 92.0)], initial_loss=3.3, final_loss=9.0
        )
    )
    assert [(f.grade, f.where) for f in found] == [
        ("fault", "training"),
        ("warning", "layer 7 (a.tanh)"),
        ("note", "layer 1 (a.tanh)"),
    ]


def test_no_normalisation_is_advised_where_there_is_one(tokens):
    config = mlp.MLP(hidden_size=17, hidden_layers=2)
    state = train.init(config, RECIPE, jax.random.key(0))
    inside = inspected(config, RECIPE, state, tokens)
    rows = diagnostics.activations(config, inside.outputs)
    assert [row.normalised for row in rows] == [False, True]
    remedies = [
        f.remedy
        for f in diagnostics.health(
            diagnostics.Evidence([row._replace(saturation=30.0) for row in rows])
        )
    ]
    assert ["a normalisation" in remedy for remedy in remedies] == [True, False]
    vanishing = [
        diagnostics.Gradient(1, "input.tanh", 0.0, 1e-6),
        diagnostics.Gradient(4, "hidden.0.tanh", 0.0, 1e-4),
    ]
    for seen, advised in ((rows, False), (rows[:1], True)):
        remedy = diagnostics.health(diagnostics.Evidence(seen, vanishing))[-1].remedy
        assert ("BatchNorm" in remedy) == advised


@pytest.mark.parametrize(
    ("dead", "ratio", "change", "grade"),
    [(5, 0.5, -3.0, "note"), (11, 11.0, -1.4, "warning"), (51, 1e-4, 0.1, "fault")],
)
def test_what_failed_is_a_fault_and_what_a_good_network_has_a_note(dead, ratio, change, grade):
    """A tenth of the units, a gradient spread of 10, updates of a thirtieth: then twice and more."""
    row = diagnostics.Activation(1, "a.relu", 0.0, 0.7, 50.0, 0.1, dead, units=100)
    (found,) = diagnostics.health(diagnostics.Evidence([row]))
    assert (found.symptom, found.grade, found.unit) == ("dead units", grade, " of 100 units")
    last = diagnostics.Gradient(4, "b.relu", 0.0, 1.0)
    found = diagnostics.health(
        diagnostics.Evidence(gradients=[last._replace(layer=1, std=ratio), last])
    )
    found += diagnostics.health(diagnostics.Evidence(update_ratios={"w": change}))
    assert [each.grade for each in found] == ([] if grade == "note" else [grade, grade])


def test_a_gap_is_a_note_while_validation_beats_counting():
    for counted, grade in ((None, "warning"), (2.3, "warning"), (2.4, "note")):
        (found,) = diagnostics.health(
            diagnostics.Evidence(loss_train=2.0, loss_val=2.35, counted_val=counted)
        )
        assert (found.symptom, found.grade) == ("overfitting", grade)
        assert "try early stopping, a smaller network" in found.advice
    (found,) = diagnostics.health(
        diagnostics.Evidence(loss_train=2.0, loss_val=2.35, stops_early=True)
    )
    assert found.advice.startswith("try a smaller network")  # it has stopped early already


def test_slow_learning_is_measured_by_what_can_be_learned():
    """Random letters are as likely as in the first step, so there is little to learn."""
    for counted, expected in ((None, ["slow learning"]), (1.346, []), (1.1, ["slow learning"])):
        found = diagnostics.health(
            diagnostics.Evidence(initial_loss=1.386, final_loss=1.350, counted_train=counted)
        )
        assert [each.symptom for each in found] == expected


@pytest.mark.slow
def test_the_standard_error_is_the_spread_between_batches(tokens):
    config = mlp.MLP(hidden_size=17, hidden_layers=2)
    state = train.init(config, RECIPE, jax.random.key(0))
    rows = []
    for step in range(60):
        batch = train.Recipe(batch_size=256)
        at = state._replace(step=jnp.int32(step))
        contexts = train.draw_batch(config, batch, at, tokens).contexts
        outputs = diagnostics.outputs(config, state.params, state.stats, contexts)
        rows.append(diagnostics.activations(config, outputs))
    for layer in zip(*rows, strict=True):
        spread = np.std([row.saturation for row in layer], ddof=1)
        stated = np.mean([row.saturation_error for row in layer])
        assert 0.6 * stated < spread < 1.5 * stated  # BatchNorm reduces the spread between batches


@pytest.mark.slow
def test_a_gain_of_ten_saturates(tokens):
    assert ("saturated tanh", "layer 1") in symptoms(mlp.MLP(gain=10.0), RECIPE, tokens)


@pytest.mark.slow
def test_a_very_deep_network_explodes(tokens):
    config = mlp.MLP(hidden_layers=26)
    assert ("exploding gradients", "layer 1") in symptoms(config, RECIPE, tokens)


@pytest.mark.slow
def test_a_small_gamma_makes_gradients_vanish(tokens):
    def change(params):
        hidden = tuple(
            b._replace(norm=b.norm._replace(gamma=0.03 * b.norm.gamma)) for b in params.hidden
        )
        return params._replace(hidden=hidden)

    found = symptoms(mlp.MLP(), RECIPE, tokens, change=change)
    assert ("vanishing gradients", "layer 1") in found


@pytest.mark.slow
def test_a_learning_rate_of_a_hundred_diverges_and_kills_units(tokens):
    recipe = train.Recipe(learning_rate=100.0)
    found = symptoms(mlp.MLP(), recipe, tokens, steps=1_000)
    assert {("diverging loss", "training"), ("dead units", "layer 13")} <= found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("learning_rate", "symptom"),
    [
        (1e-4, "updates too small"),
        pytest.param(3.0, "updates too large", marks=pytest.mark.slow),
    ],
)
def test_learning_rates_show_in_the_update_ratios(tokens, learning_rate, symptom):
    recipe = train.Recipe(learning_rate=learning_rate)
    found = symptoms(mlp.MLP(gain=1.0), recipe, tokens, steps=300)
    assert symptom in {s for s, _ in found}
    assert (("slow learning", "training") in found) == (learning_rate < 1)


@pytest.mark.slow
def test_a_dozen_names_are_overfitted(shipped_names):
    from mmjax import Predictor, evaluate

    v = vocab.build(shipped_names)
    few, others = (
        corpus.encode(v, part) for part in (shipped_names[:13], shipped_names[1_000:1_500])
    )
    config = mlp.MLP(hidden_size=31, hidden_layers=2)
    state, _ = train.run(config, train.Recipe(steps=1_000), jax.random.key(0), few)
    predictor = Predictor(config, state.params, state.stats)
    losses = [evaluate.loss(predictor, part) for part in (few, others)]
    (finding,) = diagnostics.health(diagnostics.Evidence(loss_train=losses[0], loss_val=losses[1]))
    assert finding.symptom == "overfitting"
    assert finding.figure == pytest.approx(losses[1] - losses[0])


@pytest.mark.parametrize("final", [float("nan"), float("inf"), 4.0])
def test_a_loss_that_is_no_number_diverges(final):
    (finding,) = diagnostics.health(diagnostics.Evidence(initial_loss=3.3, final_loss=final))
    assert finding.symptom == "diverging loss"
    assert diagnostics.health(diagnostics.Evidence(initial_loss=3.3, final_loss=2.5)) == []
    assert diagnostics.health(diagnostics.Evidence()) == []


@dataclass(frozen=True)
class Noisy:
    """A network with a random layer, which needs a key in training."""

    vocab_size: int = 27
    block_size: int = 3

    def init(self, key):
        return jax.random.normal(key, (self.vocab_size, self.vocab_size)), ()

    def apply(self, params, stats, contexts, *, train, key=None, tap=no_tap):
        x = tap("input.tanh", jnp.tanh(params[contexts[:, -1]]))
        if train:
            assert key is not None
            x = jnp.where(jax.random.bernoulli(key, 0.5, x.shape), x, jnp.zeros_like(x))
        return x, stats


@pytest.mark.slow
def test_random_layers_are_seen_as_in_the_training_step(tokens):
    model, recipe = Noisy(), train.Recipe(steps=7, batch_size=13)
    examples = data.of("windows", tokens, model)
    state = train.init(model, recipe, jax.random.key(0))
    seen = snapshot.take(model, recipe, state, examples)
    saturations = metrics.saturations(model, jnp.zeros((5, 3), jnp.int32))
    fitted = train.fit(model, recipe, state, examples, chunk=2, metrics=[saturations])
    assert seen.batch.loss == pytest.approx(fitted.progress.initial_loss[0], rel=1e-5)
