"""Exercise 9: the gradient of BatchNorm, by hand."""

import jax.numpy as jnp
import numpy as np

from experiments.exercises.exercise import Exercise, Function, array, same

ROWS, FEATURES = 7, 5
RNG = np.random.default_rng(9)
X = (RNG.normal(size=(ROWS, FEATURES)) * [1, 2, 0.5, 3, 1] + [0, 4, -1, 0, 2]).astype(np.float32)
GAMMA = np.array([1, -2, 0.5, 3, 1.5], np.float32)
DY = RNG.normal(size=(ROWS, FEATURES)).astype(np.float32)


def found(
    function: Function, x: np.ndarray = X, gamma: np.ndarray = GAMMA, dy: np.ndarray = DY
) -> np.ndarray:
    """Return the learner's gradient."""
    return array(function(*map(jnp.asarray, (x, gamma, dy))), x.shape, "dx")


def output(x: np.ndarray) -> np.ndarray:
    """Return the forward pass without beta, in float64."""
    return GAMMA * (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)


def columns_balance(batch_norm_backward: Function) -> None:
    """The gradients of a feature sum to 0."""
    same(
        found(batch_norm_backward).sum(0),
        0,
        "adding the same number to all rows of x leaves y, so the sum over the rows of dx",
        lambda: "does the gradient also go through the mean of the batch?",
    )


def orthogonal(batch_norm_backward: Function) -> None:
    """The gradients of a feature are orthogonal to its normalised values."""
    normal = (X - X.mean(0)) / X.std(0)
    same(
        (found(batch_norm_backward) * normal).sum(0),
        0,
        "stretching x leaves y, so the sum over the rows of dx * (x - mean) / std",
        lambda: "does the gradient also go through the variance of the batch?",
        near=1e-3,
    )


def shifted_dy(batch_norm_backward: Function) -> None:
    """Adding a number to dy changes nothing."""
    shift = np.array([1, -1, 2, 0.5, 3], np.float32)
    what = "after adding the same number to all rows of dy, dx"
    same(found(batch_norm_backward, dy=DY + shift), found(batch_norm_backward), what, near=1e-3)


def gamma_scales(batch_norm_backward: Function) -> None:
    """Twice the gamma gives twice the gradient."""
    what = "with twice the gamma, dx"
    twice = found(batch_norm_backward, gamma=2 * GAMMA)
    same(twice, 2 * found(batch_norm_backward), what, lambda: "is gamma in dx?", near=1e-3)


def features_apart(batch_norm_backward: Function) -> None:
    """A feature does not depend on the others."""
    among = found(batch_norm_backward)
    for j in range(FEATURES):
        one = slice(j, j + 1)
        alone = found(batch_norm_backward, X[:, one], GAMMA[one], DY[:, one])
        same(among[:, one], alone, f"beside the other features, dx of feature {j}", near=1e-3)


def slopes(batch_norm_backward: Function) -> None:
    """The gradient is the slope along each entry of x."""
    x, wanted = X.astype(np.float64), np.zeros(X.shape)
    for at in np.ndindex(X.shape):
        step = np.zeros(X.shape)
        step[at] = 1e-5
        wanted[at] = (DY * (output(x + step) - output(x - step))).sum() / 2e-5
    dx = found(batch_norm_backward)
    ratio = dx / wanted
    factor = ratio.mean(0)

    def hint() -> str:
        if np.allclose(ratio, (ROWS - 1) / ROWS, rtol=0.1):
            return "is it the biased variance, divided by the number of rows?"
        if np.allclose(ratio, factor, rtol=0.05):
            said = ", ".join(f"{each:.3g}" for each in factor)
            return f"dx of each feature is the slope times a number: {said}"
        return ""

    same(dx, wanted, "dx", hint, near=1e-3)


EXERCISE = Exercise(
    9,
    "the gradient of BatchNorm",
    "batch_norm_backward(x: jax.Array, gamma: jax.Array, dy: jax.Array) -> jax.Array",
    """Return the gradient of the loss with respect to the input of BatchNorm.

The forward pass is y = gamma * (x - mean) / sqrt(variance + 1e-5) + beta, with the mean and the
biased variance of each feature over the batch. x [rows, features] is its input, gamma
[features] and dy [rows, features] is the gradient with respect to y. Return dx [rows,
features]: by hand, and in one expression if you can. The mean and the variance depend on x,
too.
""",
    (columns_balance, orthogonal, shifted_dy, gamma_scales, features_apart, slopes),
)
