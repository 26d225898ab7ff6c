"""Derivatives of the layers and the network equal those of the formula.

They are taken in every mode, up to the third order.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from mmjax import InputError, layers, mlp, train

MODEL = mlp.MLP(vocab_size=5, block_size=2, embedding_dim=3, hidden_size=4, hidden_layers=2)
BATCH = 7


def plain(model, params, stats, contexts, *, train):
    """Return the logits by the formula, which JAX differentiates by its own rules."""
    x = params.embedding[contexts].reshape(len(contexts), -1)
    x = jnp.tanh(x @ params.input.weight + params.input.bias[None])
    for block, running in zip(
        [*params.hidden, params.output], [*stats.hidden, stats.output], strict=True
    ):
        x = x @ block.linear.weight + block.linear.bias[None]
        mean, var = (x.mean(0), x.var(0, ddof=1)) if train else running
        x = (x - mean[None]) / jnp.sqrt(var + model.eps)[None]
        x = x * block.norm.gamma[None] + block.norm.beta[None]
        x = x if block is params.output else jnp.tanh(x)
    return x


@pytest.fixture(params=[True, False], ids=["train", "evaluate"])
def losses(request):
    """Yield (our loss, the formula's loss, a point, a direction).

    Both losses are functions of one vector of all parameters.
    """
    with jax.enable_x64(True):
        params, stats = MODEL.init(jax.random.key(0))
        point, unravel = ravel_pytree(params)
        contexts = jax.random.randint(jax.random.key(1), (BATCH, MODEL.block_size), 0, 5)
        targets = jax.random.randint(jax.random.key(2), (BATCH,), 0, 5)

        def ours(point):
            logits, _ = MODEL.apply(unravel(point), stats, contexts, train=request.param)
            return train.cross_entropy(logits, targets)

        def formula(point):
            logits = plain(MODEL, unravel(point), stats, contexts, train=request.param)
            return train.cross_entropy(logits, targets)

        directions = jax.random.normal(jax.random.key(3), (2, len(point)))
        yield ours, formula, point + 0.3 * directions[0], directions[1]


def forward_over_reverse(f, x, v):
    return jax.jvp(jax.grad(f), (x,), (v,))[1]


def reverse_over_forward(f, x, v):
    return jax.grad(lambda x: jax.jvp(f, (x,), (v,))[1])(x)


def reverse_over_reverse(f, x, v):
    return jax.grad(lambda x: jax.grad(f)(x) @ v)(x)


def forward_over_forward(f, x, v):
    return jax.jvp(lambda x: jax.jvp(f, (x,), (v,))[1], (x,), (v,))[1]


def third_order(f, x, v):
    return jax.grad(lambda x: forward_over_reverse(f, x, v) @ v)(x)


DERIVATIVES = {
    "gradient": lambda f, x, v: jax.grad(f)(x),
    "jvp": lambda f, x, v: jax.jvp(f, (x,), (v,))[1],
    "hessian": lambda f, x, v: jax.hessian(f)(x),
    "forward over reverse": forward_over_reverse,
    "reverse over forward": reverse_over_forward,
    "reverse over reverse": reverse_over_reverse,
    "forward over forward": forward_over_forward,
    "third order": third_order,
}
SLOW = ("reverse over forward", "reverse over reverse", "forward over forward", "third order")


@pytest.mark.parametrize(
    "derivative",
    [
        pytest.param(derivative, id=name, marks=[pytest.mark.slow] * (name in SLOW))
        for name, derivative in DERIVATIVES.items()
    ],
)
def test_every_derivative_is_the_formulas(losses, derivative):
    ours, formula, point, direction = losses
    with jax.enable_x64(True):
        mine = jax.jit(lambda x, v: derivative(ours, x, v))(point, direction)
        expected = jax.jit(lambda x, v: derivative(formula, x, v))(point, direction)
    assert abs(expected).max() > 1e-3
    np.testing.assert_allclose(mine, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.slow
def test_gradients_of_single_examples_side_by_side():
    """`vmap` adds a batch axis to every derivative rule."""
    rows = jax.random.normal(jax.random.key(0), (5, BATCH, 3))
    params = layers.linear_init(jax.random.key(1), 3, 4)
    norm, running = layers.batch_norm_init(4)

    def loss(params, x):
        y, _ = layers.batch_norm(norm, running, layers.linear(params, x), train=True)
        return jnp.sum(y**3)

    together = jax.vmap(jax.grad(loss), in_axes=(None, 0))(params, rows)
    for i, x in enumerate(rows):
        alone = jax.grad(loss)(params, x)
        jax.tree.map(
            lambda a, b, i=i: np.testing.assert_allclose(a[i], b, rtol=1e-4, atol=1e-4),
            together,
            alone,
        )


def test_one_row_has_no_variance_to_train_with():
    params, stats = MODEL.init(jax.random.key(0))
    with pytest.raises(InputError, match=r"at least 2 rows in training, not 1.*train=False"):
        MODEL.apply(params, stats, jnp.zeros((1, 2), int), train=True)
    logits, _ = MODEL.apply(params, stats, jnp.zeros((1, 2), int), train=False)
    assert np.isfinite(logits).all()
