"""The layers against their formulas, and BatchNorm against mistakes of ports."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mmjax import layers
from mmjax.models.layers import BatchNorm, Linear, Moments

BATCH, FEATURES = 13, 7


@pytest.fixture
def x():
    return 3 * jax.random.normal(jax.random.key(0), (BATCH, FEATURES)) - 2


@pytest.fixture
def params():
    gamma, beta = jax.random.normal(jax.random.key(1), (2, FEATURES))
    return BatchNorm(gamma, beta)


@pytest.fixture
def running():
    mean, log_var = jax.random.normal(jax.random.key(2), (2, FEATURES))
    return Moments(mean, jnp.exp(log_var))


def test_linear_is_the_formula():
    x = np.arange(6.0, dtype=np.float32).reshape(2, 3)
    params = Linear(jnp.arange(15.0).reshape(3, 5), jnp.arange(5.0))
    expected = [
        [sum(x[b, i] * (5 * i + o) for i in range(3)) + o for o in range(5)] for b in (0, 1)
    ]
    np.testing.assert_allclose(layers.linear(params, jnp.asarray(x)), expected)


@pytest.mark.parametrize("gain", [1.0, 5 / 3])
def test_linear_init_keeps_the_variance_times_the_gain(gain):
    params = layers.linear_init(jax.random.key(0), 211, 503, gain=gain)
    assert params.weight.shape == (211, 503)
    assert float(params.weight.std()) == pytest.approx(gain / 211**0.5, rel=0.01)
    assert not params.bias.any()


def test_training_normalises_with_the_batchs_unbiased_variance(params, running, x):
    y, _ = layers.batch_norm(params, running, x, train=True)
    x64 = np.asarray(x, np.float64)
    var = ((x64 - x64.mean(0)) ** 2).sum(0) / (BATCH - 1)
    gamma, beta = map(np.asarray, params)
    expected = gamma * (x64 - x64.mean(0)) / np.sqrt(var + 1e-5) + beta
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    biased = gamma * (x64 - x64.mean(0)) / np.sqrt(x64.var(0) + 1e-5) + beta
    assert abs(y - biased).max() > 0.01  # torch's layer uses the biased variance


def test_the_running_moments_are_an_exact_moving_average(params, running, x):
    expected = [np.asarray(leaf, np.float64) for leaf in running]
    state = running
    for step in range(5):
        batch = x * (step + 1) + step
        _, state = layers.batch_norm(params, state, batch, train=True, momentum=0.3)
        b64 = np.asarray(batch, np.float64)
        expected[0] = 0.7 * expected[0] + 0.3 * b64.mean(0)
        expected[1] = 0.7 * expected[1] + 0.3 * b64.var(0, ddof=1)
    np.testing.assert_allclose(state.mean, expected[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(state.var, expected[1], rtol=1e-4)


def test_momentum_is_the_weight_of_the_new_batch(params, running, x):
    _, kept = layers.batch_norm(params, running, x, train=True, momentum=0.0)
    _, taken = layers.batch_norm(params, running, x, train=True, momentum=1.0)
    for leaf, old, new in zip(kept, running, taken, strict=True):
        np.testing.assert_array_equal(leaf, old)
        assert abs(new - old).max() > 0.1
    np.testing.assert_allclose(taken.var, np.var(x, axis=0, ddof=1), rtol=1e-5)


def test_evaluation_uses_the_running_moments_and_leaves_them(params, running, x):
    y, state = layers.batch_norm(params, running, x, train=False)
    gamma, beta, mean, var = map(np.asarray, (*params, *running))
    expected = gamma * (np.asarray(x) - mean) / np.sqrt(var + 1e-5) + beta
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    assert state is running


def test_evaluation_of_a_row_does_not_depend_on_its_batch_mates(params, running, x):
    alone, _ = layers.batch_norm(params, running, x[:1], train=False)
    among, _ = layers.batch_norm(params, running, x, train=False)
    np.testing.assert_allclose(among[:1], alone, rtol=1e-6)
    others, _ = layers.batch_norm(params, running, x.at[1:].set(99.0), train=True)
    together, _ = layers.batch_norm(params, running, x, train=True)
    assert abs(others[0] - together[0]).max() > 0.1  # in training it does depend on them


def test_training_output_does_not_depend_on_the_running_moments(params, running, x):
    y, _ = layers.batch_norm(params, running, x, train=True)
    fresh, _ = layers.batch_norm(
        params, Moments(*layers.batch_norm_init(FEATURES)[1]), x, train=True
    )
    np.testing.assert_array_equal(y, fresh)


def test_no_gradient_flows_into_or_through_the_running_moments(params, running, x):
    def tracked(x, params, running):
        _, state = layers.batch_norm(params, running, x, train=True)
        return state.mean.sum() + state.var.sum()

    assert not jax.grad(tracked, argnums=0)(x, params, running).any()

    def output(running):
        y, _ = layers.batch_norm(params, running, x, train=True)
        return (y**2).sum()

    assert not any(leaf.any() for leaf in jax.grad(output)(running))


def test_inputs_are_unchanged(params, running, x):
    before = jax.tree.map(np.array, (params, running, x))
    jax.jit(layers.batch_norm, static_argnames="train")(params, running, x, train=True)
    jax.tree.map(np.testing.assert_array_equal, before, (params, running, x))


def test_normalised_features_have_mean_beta_and_deviation_gamma(params, running, x):
    y, _ = layers.batch_norm(params, running, x, train=True)
    np.testing.assert_allclose(y.mean(0), params.beta, atol=1e-5)
    np.testing.assert_allclose(y.std(0, ddof=1), abs(params.gamma), rtol=1e-4)
    shifted, _ = layers.batch_norm(params, running, 5 * x + 3, train=True)
    np.testing.assert_allclose(shifted, y, atol=1e-4)


def test_whether_it_trains_has_to_be_said(params, running, x):
    with pytest.raises(TypeError, match="train"):
        layers.batch_norm(params, running, x)  # pyright: ignore[reportCallIssue]


def test_the_closed_form_of_the_backward_pass_is_the_formula_differentiated():
    """JAX differentiates the formula and gets the same gradients, in float64.

    The gradients are those of the linear layer and of the normalisation.
    """
    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        shapes = ((11, 7), (7, 5), (5,), (11, 5), (11, 5))
        x, weight, bias, wanted, before = (jnp.asarray(rng.normal(2, 3, s)) for s in shapes)
        affine = Linear(weight, bias)
        params = layers.BatchNorm(jnp.asarray(rng.normal(size=5)), jnp.asarray(rng.normal(size=5)))

        def ours(params, x, affine):
            z = layers.linear(affine, x)
            normalised: Any = layers.normalise(params, z, 1e-5)
            y, running = normalised
            unused = 0.0 * jnp.sum(jax.lax.stop_gradient(running.var))
            # Without the term with z, the gradient of the bias would be 0.
            return jnp.sum(y * wanted + y**2 + z * before) + unused

        def formula(params, x, affine):
            z = x @ affine.weight + affine.bias[None]
            mean = z.mean(axis=0)
            var = ((z - mean[None]) ** 2).sum(axis=0) / (len(z) - 1)
            y = (
                params.gamma[None] * (z - mean[None]) / jnp.sqrt(var + 1e-5)[None]
                + params.beta[None]
            )
            return jnp.sum(y * wanted + y**2 + z * before)

        for argument in (0, 1, 2):
            jax.tree.map(
                lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10),
                jax.grad(ours, argument)(params, x, affine),
                jax.grad(formula, argument)(params, x, affine),
            )
