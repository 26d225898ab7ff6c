"""A reading during training, beside the instruments one by one."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from mmjax import data, diagnostics, metrics, mlp, plots, train
from mmjax.data import DATASETS, Batch
from mmjax.diagnostics import noise, reading
from mmjax.diagnostics.curvature import batch_loss, largest_ritz_value, step_reach
from mmjax.report.readings import of_readings

RECIPE = train.Recipe(steps=40, batch_size=13)


def trained(recipe=RECIPE, norm="batch", activation="tanh"):
    """Return a small network, its state after ten steps, and its dataset."""
    model = mlp.MLP(7, 2, 3, widths=(11, 5), norm=norm, activation=activation)
    tokens = jnp.asarray(np.random.default_rng(0).integers(0, 7, 401).astype(np.uint8))
    examples = data.of(recipe.data, tokens, model, noise=recipe.noise)
    state = train.init(model, recipe, jax.random.key(3))
    state, _ = train.advance(model, recipe, state, examples, steps=10)
    return model, state, examples


def next_batches(model, state, examples):
    """Return the batches of the next steps, drawn one by one."""
    drawn = [
        train.draw_batch(model, RECIPE, state._replace(step=state.step + i), examples)
        for i in range(reading.BATCHES)
    ]
    return Batch(*(jnp.stack([getattr(b, n) for b in drawn]) for n in ("contexts", "targets")))


def test_few_products_find_the_largest_eigenvalue_from_below():
    rng = np.random.default_rng(1)
    basis, _ = np.linalg.qr(rng.normal(size=(53, 53)))
    for values in (rng.normal(size=53), np.r_[9.0, rng.normal(size=52)], -np.arange(1.0, 54.0)):
        matrix = jnp.asarray(basis @ np.diag(values) @ basis.T, jnp.float32)
        start = jnp.asarray(rng.normal(size=53), jnp.float32)
        product = partial(jnp.matmul, matrix)
        found = [float(largest_ritz_value(product, start, k)) for k in (1, 3, 6, 25)]
        assert found == sorted(found)
        assert found[0] == pytest.approx(float(start @ matrix @ start / (start @ start)), abs=1e-4)
        assert found[-1] <= values.max() + 1e-4
        assert found[-1] == pytest.approx(values.max(), abs=0.01 * np.ptp(values))
    nothing = largest_ritz_value(lambda v: 0 * v, jnp.zeros(5), 3)
    assert float(nothing) == 0


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [{}, {"norm": "none", "activation": "relu"}])
def test_a_reading_is_that_of_each_instrument(sizes):
    model, state, examples = trained(**sizes)
    seen = reading.read(model, RECIPE, state, examples)
    batches = next_batches(model, state, examples)
    first = jax.tree.map(lambda x: x[0], batches)

    flat, unravel = ravel_pytree(state.params)
    loss = batch_loss(model, state.stats, first, None)
    hessian = np.asarray(jax.hessian(lambda x: loss(unravel(x)))(flat), np.float64)
    largest = np.linalg.eigvalsh((hessian + hessian.T) / 2)[-1]
    assert 0.85 * largest < float(seen.sharpness) < 1.0001 * largest

    after, _ = train.train_step(model, RECIPE, state, first)
    update = jax.tree.map(jnp.subtract, after.params, state.params)
    reach = step_reach(model, state.params, state.stats, first, update)
    assert float(seen.step_reach) == pytest.approx(float(reach), rel=1e-3)

    found = noise.gradient_noise(model, state.params, state.stats, batches)
    assert float(seen.gradient_noise) == pytest.approx(found.noise, rel=1e-4)
    assert float(seen.gradient_signal) == pytest.approx(found.signal, rel=1e-3, abs=1e-6)

    ratios, dead = [], []
    for name in ("input", "hidden.0"):
        layer = f"{name}.{model.activation}"
        outputs = [
            diagnostics.outputs(model, state.params, state.stats, contexts)[layer]
            for contexts in batches.contexts
        ]
        rows = np.concatenate(outputs).astype(np.float64)
        values = np.linalg.eigvalsh(np.cov(rows.T))
        ratios.append(values.sum() ** 2 / (values**2).sum())
        limit = (rows <= 0) if model.activation == "relu" else (abs(rows) > 0.99)
        dead.append(100 * limit.all(axis=0).mean())
    assert float(seen.participation_ratio) == pytest.approx(min(ratios), rel=1e-4)
    assert float(seen.dead) == pytest.approx(max(dead))


def test_a_layer_of_one_direction_and_dead_units_show():
    model, state, examples = trained(norm="none")
    hidden = state.params.hidden[0]
    bias = jnp.where(jnp.arange(5) < 2, 30.0, 0.0).astype(jnp.float32)
    linear = hidden.linear._replace(bias=bias)
    params = state.params._replace(hidden=(hidden._replace(linear=linear),))
    seen = reading.read(model, RECIPE, state._replace(params=params), examples)
    assert float(seen.dead) == pytest.approx(40)
    weight = jnp.zeros_like(linear.weight).at[0, 0].set(1.0)
    flat = hidden._replace(linear=linear._replace(weight=weight, bias=jnp.zeros(5)))
    params = state.params._replace(hidden=(flat,))
    seen = reading.read(model, RECIPE, state._replace(params=params), examples)
    assert float(seen.participation_ratio) == pytest.approx(1, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", DATASETS)
def test_every_kind_of_dataset_can_be_read(kind):
    recipe = train.Recipe(batch_size=13, data=kind)
    model, state, examples = trained(recipe)
    seen = reading.read(model, recipe, state, examples)
    assert all(np.isfinite(float(value)) for value in seen)
    if kind == "all-contexts":  # every batch is the same
        assert float(seen.gradient_noise) == pytest.approx(0, abs=1e-9)


@pytest.mark.slow
def test_the_metric_reads_every_member_and_does_not_change_training():
    model, start, examples = trained()
    plain, _ = train.run(model, RECIPE, jax.random.key(3), examples)
    seen = []
    fitted = train.fit(
        *(model, RECIPE, start, examples),
        chunk=10,
        observe=diagnostics.update_sizes,
        metrics=[
            metrics.losses(RECIPE),
            metrics.update_ratios,
            metrics.instruments(model, RECIPE, examples),
        ],
        sinks=[lambda records, chunk: seen.append((records[0], chunk.states[0]))],
        progress=train.Progress(10, 0.0, [None], [[]]),
    )
    jax.tree.map(np.testing.assert_array_equal, fitted.state.params, plain.params)
    for record, state in seen:
        expected = reading.read(model, RECIPE, state, examples)
        for name, value in expected._asdict().items():
            assert record[f"instrument/{name}"] == float(value)
    report = {"optimizer": "sgd", "batch_size": 13}
    (picture,) = of_readings([{"lr": 0.1} | record for record, _ in seen], report)
    assert len(picture.figure.axes) == 5
    assert [*of_readings([{"step": 1}], report)] == []


def test_a_panel_shows_its_band_and_its_values():
    values = np.array([1.0, 30.0, 2.0])
    panels = [
        plots.Panel("a", values, 0.0, 20.0, (5.0, 25.0)),
        plots.Panel("b", values, np.nan, np.nan, log=True),
    ]
    figure = plots.readings(np.array([1, 2, 3]), panels)
    first, second = figure.axes
    assert first.get_ylim()[0] <= 1
    assert first.get_ylim()[1] >= 30
    (band,) = first.collections
    assert band.get_paths()[0].get_extents().y1 == 20
    assert second.get_yscale() == "log"
