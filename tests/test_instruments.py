"""The instruments, beside their formulas on networks small enough for whole matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from mmjax import InputError, diagnostics, mlp, train
from mmjax.data import Batch
from mmjax.diagnostics.coordinates import moved, slopes
from mmjax.diagnostics.curvature import batch_loss, sharpness, step_reach
from mmjax.diagnostics.noise import gradient_noise
from mmjax.diagnostics.rank import effective_rank, effective_ranks
from mmjax.diagnostics.slices import loss_slice, random_direction

NORMS = ("batch", "none")


def small(norm, dropout=0.0):
    """Return a network of 3 x 5 units, its parameters and its statistics, all disturbed."""
    model = mlp.MLP(7, 2, 3, widths=(5, 3), norm=norm, dropout=dropout)
    params, stats = model.init(jax.random.key(3))
    keys = iter(jax.random.split(jax.random.key(5), len(jax.tree.leaves(params))))
    params = jax.tree.map(lambda x: x + 0.3 * jax.random.normal(next(keys), x.shape), params)
    return model, params, stats


def batch_of(*shape):
    """Return random examples; their letters follow no rule."""
    rng = np.random.default_rng(11)
    contexts = jnp.asarray(rng.integers(0, 7, (*shape, 2)))
    return Batch(contexts, jnp.asarray(rng.integers(0, 7, shape)))


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
def test_the_sharpness_is_the_largest_eigenvalue_of_the_whole_hessian(norm):
    model, params, stats = small(norm, dropout=0.2)
    batch, key = batch_of(23), jax.random.key(1)
    flat, unravel = ravel_pytree(params)
    loss = batch_loss(model, stats, batch, key)
    hessian = np.asarray(jax.hessian(lambda x: loss(unravel(x)))(flat), np.float64)
    values = np.linalg.eigvalsh((hessian + hessian.T) / 2)
    assert values[0] < -1e-3  # not convex: the largest is not the largest in size by chance
    found = sharpness(model, params, stats, batch, key, tolerance=1e-6)
    assert found == pytest.approx(values[-1], rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
def test_the_reach_of_a_step_is_the_ratio_of_its_slopes(norm):
    model, params, stats = small(norm)
    batch = batch_of(23)
    grads = diagnostics.inspect(model, params, stats, batch).grads
    update = jax.tree.map(lambda g: -0.3 * g, grads)

    def slope(there):
        both = jax.tree.map(jnp.vdot, diagnostics.inspect(model, there, stats, batch).grads, update)
        return float(sum(jax.tree.leaves(both)))

    after = jax.tree.map(jnp.add, params, update)
    found = float(step_reach(model, params, stats, batch, update))
    assert found == pytest.approx(-slope(after) / slope(params), rel=1e-4)


@pytest.mark.slow
def test_short_steps_go_nowhere_and_the_bottom_is_zero():
    """Along the gradient, the reach crosses 0 where the loss is lowest."""
    model, params, stats = small("none")
    batch = batch_of(23)
    grads = diagnostics.inspect(model, params, stats, batch).grads
    loss = jax.jit(batch_loss(model, stats, batch))

    def step(rate):
        return jax.tree.map(lambda g: -rate * g, grads)

    rates = np.linspace(0.01, 6, 60)
    losses = [float(loss(jax.tree.map(jnp.add, params, step(rate)))) for rate in rates]
    reaches = [float(step_reach(model, params, stats, batch, step(rate))) for rate in rates]
    assert reaches[0] == pytest.approx(-1, abs=0.05)
    lowest = int(np.argmin(losses))
    assert 0 < lowest < len(rates) - 1
    assert reaches[lowest - 1] < 0 < reaches[lowest + 1]


@pytest.mark.slow
def test_the_noise_of_single_examples_is_the_trace_of_their_covariance():
    """With batches of one example, by the gradient of each example alone."""
    model, params, stats = small("none")
    batches = batch_of(31, 1)
    found = gradient_noise(model, params, stats, batches)
    rows = []
    for i in range(31):
        one = Batch(batches.contexts[i], batches.targets[i])
        grads = diagnostics.inspect(model, params, stats, one).grads
        rows.append(np.asarray(ravel_pytree(grads)[0], np.float64))
    rows = np.array(rows)
    covariance = np.cov(rows.T)
    signal = np.sum(rows.mean(axis=0) ** 2) - np.trace(covariance) / 31
    assert found.noise == pytest.approx(np.trace(covariance), rel=1e-4)
    assert found.signal == pytest.approx(signal, rel=1e-4)
    assert found.critical_batch == pytest.approx(np.trace(covariance) / signal, rel=1e-4)
    biases = rows[:, -7:]  # the output layer's, which are the last of the parameters
    expected = np.mean(biases.mean(axis=0) ** 2 / biases.var(axis=0, ddof=1))
    assert found.gsnr["output.linear.bias"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_the_noise_of_an_example_does_not_depend_on_the_batch_size():
    """Without BatchNorm, the same examples in batches of 1 and of 13 have the same noise."""
    model, params, stats = small("none")
    single = batch_of(13 * 211, 1)
    thirteen = jax.tree.map(lambda x: x.reshape(211, 13, *x.shape[2:]), single)
    one, many = (gradient_noise(model, params, stats, each) for each in (single, thirteen))
    assert many.noise == pytest.approx(one.noise, rel=0.1)
    assert many.signal == pytest.approx(one.signal, rel=0.1)


def test_the_same_batch_again_and_again_has_no_noise():
    model, params, stats = small("batch")
    one = batch_of(1, 17)
    same = jax.tree.map(lambda x: jnp.repeat(x, 3, axis=0), one)
    found = gradient_noise(model, params, stats, same)
    assert found.noise == pytest.approx(0, abs=1e-8)
    assert found.critical_batch == pytest.approx(0, abs=1e-6)
    with pytest.raises(InputError, match="needs at least 2 batches, not 1"):
        gradient_noise(model, params, stats, one)


def test_the_effective_rank_counts_directions():
    """By the eigenvalues of the covariance, and for outputs whose directions are known."""
    rng = np.random.default_rng(0)
    outputs = rng.normal(size=(211, 7)) @ rng.normal(size=(7, 7))
    eigenvalues = np.linalg.eigvalsh(np.cov(outputs.T))
    shares = np.sqrt(eigenvalues) / np.sqrt(eigenvalues).sum()
    assert effective_rank(outputs) == pytest.approx(np.prod(shares**-shares), rel=1e-6)
    assert effective_rank(3 * outputs + 5) == pytest.approx(effective_rank(outputs), rel=1e-6)
    corners = np.concatenate([np.eye(5), -np.eye(5)])
    assert effective_rank(corners) == pytest.approx(5)
    assert effective_rank(np.outer(rng.normal(size=13), np.ones(7))) == pytest.approx(1, rel=1e-6)
    assert effective_rank(np.ones((13, 7))) == 0


def test_every_activation_layer_has_a_rank():
    model, params, stats = small("batch")
    outputs = diagnostics.outputs(model, params, stats, batch_of(101).contexts)
    ranks = effective_ranks(model, outputs)
    assert [*ranks] == ["input.tanh", "hidden.0.tanh"]
    assert 1 < ranks["hidden.0.tanh"] <= 3


@pytest.mark.slow
def test_a_direction_has_the_norms_of_the_units_and_moves_no_vector():
    _, params, _ = small("batch")
    direction = random_direction(params, jax.random.key(2))
    for leaf, own in zip(jax.tree.leaves(params), jax.tree.leaves(direction), strict=True):
        assert leaf.shape == own.shape
        if leaf.ndim == 2:
            norms = [np.linalg.norm(np.asarray(x), axis=0) for x in (leaf, own)]
            np.testing.assert_allclose(*norms, rtol=1e-5)
            assert not np.allclose(leaf, own)
        else:
            assert not np.any(own)


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
def test_a_slice_has_the_losses_at_its_points(norm):
    model, params, stats = small(norm, dropout=0.2)
    batch, key = batch_of(23), jax.random.key(1)
    flat, unravel = ravel_pytree(params)
    two = [random_direction(params, jax.random.key(i)) for i in (2, 3)]
    steps = np.random.default_rng(0).normal(size=(11, 2)).astype(np.float32)
    found = loss_slice(model, params, stats, batch, two, jnp.asarray(steps), key)
    loss = batch_loss(model, stats, batch, key)
    along = [np.asarray(ravel_pytree(direction)[0]) for direction in two]
    for value, (a, b) in zip(np.asarray(found), steps, strict=True):
        there = unravel(jnp.asarray(np.asarray(flat) + a * along[0] + b * along[1]))
        assert value == pytest.approx(float(loss(there)), rel=1e-4)


@pytest.mark.slow
def test_the_bend_of_a_slice_is_the_hessian_along_it():
    model, params, stats = small("none")
    batch = batch_of(23)
    flat, unravel = ravel_pytree(params)
    direction = random_direction(params, jax.random.key(2))
    along = ravel_pytree(direction)[0]
    loss = batch_loss(model, stats, batch, None)
    bend = along @ jax.hessian(lambda x: loss(unravel(x)))(flat) @ along
    h = 0.02
    offsets = jnp.asarray([[-h], [0.0], [h]])
    low, middle, high = loss_slice(model, params, stats, batch, [direction], offsets)
    assert float(high - 2 * middle + low) / h**2 == pytest.approx(float(bend), rel=0.05)


@pytest.mark.slow
def test_the_coordinate_check_is_the_change_of_the_recorded_outputs():
    tokens = jnp.asarray(np.random.default_rng(0).integers(0, 7, 401).astype(np.uint8))
    contexts = batch_of(13).contexts
    recipe, key = train.Recipe(steps=4, batch_size=11), jax.random.key(0)
    changes = []
    for width in (5, 23):
        model = mlp.MLP(7, 2, 3, widths=(width, width))
        found = moved(model, recipe, key, tokens, contexts)
        params, stats = model.init(jax.random.split(key)[0])
        state, _ = train.run(model, recipe, key, tokens)
        outputs = [
            diagnostics.record(model, p, s, contexts, train=True)[1]
            for p, s in ((params, stats), (state.params, state.stats))
        ]
        for name, value in found.items():
            change = np.asarray(outputs[1][name], float) - np.asarray(outputs[0][name], float)
            assert value == pytest.approx(np.sqrt((change**2).mean()), rel=1e-4)
        changes.append(found)
    for name, slope in slopes((5, 23), changes).items():
        rise = np.log(changes[1][name] / changes[0][name])
        assert slope == pytest.approx(rise / np.log(23 / 5), rel=1e-6)
