"""Exercise 8: BatchNorm, in training and in evaluation."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.exercises.exercise import Exercise, Function, array, couple, hold, same

ROWS, FEATURES = 5, 3  # few rows, so that the biased and the unbiased variance differ
RNG = np.random.default_rng(8)
X = (RNG.normal(size=(ROWS, FEATURES)) * [1, 3, 2] + [2, -1, 0]).astype(np.float32)
PARAMS = np.array([[1.5, -2, 0.5], [0.3, 4, -1]], np.float32)  # gamma, beta
PLAIN = np.array([[1, 1, 1], [0, 0, 0]], np.float32)
RUNNING = np.array([[0.5, -3, 7], [2, 0.25, 5]], np.float32)  # mean, variance
Found = tuple[np.ndarray, np.ndarray, np.ndarray]


def found(function: Function, params: np.ndarray, x: np.ndarray, *, train: bool) -> Found:
    """Return the learner's output, running mean and running variance."""

    def both(rows: np.ndarray) -> Any:
        return jnp.asarray(rows[0]), jnp.asarray(rows[1])

    back = function(both(params), both(RUNNING), jnp.asarray(x), train)
    y, running = couple(back, "(y, running)")
    mean, var = couple(running, "(mean, variance) as running")
    shape = (FEATURES,)
    return (
        array(y, x.shape, "y"),
        array(mean, shape, "the running mean"),
        array(var, shape, "the running variance"),
    )


def normalised(batch_norm: Function) -> None:
    """In training every feature of the batch gets the mean 0 and the variance 1."""
    y, *_ = found(batch_norm, PLAIN, X, train=True)
    hint = "is it the batch's own mean, one for each feature, over axis 0?"
    given = f"in training, with gamma 1, beta 0 and {ROWS} rows,"
    same(y.mean(0), 0, f"{given} the mean of a feature of y", lambda: hint, near=1e-3)
    said = "is it divided by the root of the batch's own variance, the biased one?"
    same(y.var(0), 1, f"{given} the variance of a feature of y", lambda: said, near=1e-3)


def gamma_and_beta(batch_norm: Function) -> None:
    """Gamma multiplies, and beta is added."""
    plain, *_ = found(batch_norm, PLAIN, X, train=True)
    y, *_ = found(batch_norm, PARAMS, X, train=True)
    same(y, PARAMS[0] * plain + PARAMS[1], "with gamma and beta, y", near=1e-3)


def running_moves(batch_norm: Function) -> None:
    """In training the running statistics move by a tenth to those of the batch."""
    _, mean, var = found(batch_norm, PARAMS, X, train=True)
    for name, got, old, batch, biased in (
        ("mean", mean, RUNNING[0], X.mean(0), X.mean(0)),
        ("variance", var, RUNNING[1], X.var(0, ddof=1), X.var(0)),
    ):
        causes = {
            "it stays as it is": old,
            "0.9 is for the old one, and 0.1 for the new one": 0.1 * old + 0.9 * batch,
            "use the variance divided by rows - 1 here": 0.9 * old + 0.1 * biased,
        }
        hint = next((text for text, v in causes.items() if np.allclose(got, v, atol=1e-3)), "")
        what = f"with a batch of {ROWS} rows, the new running {name}"
        same(got, 0.9 * old + 0.1 * batch, what, lambda hint=hint: hint, near=1e-3)


def evaluation(batch_norm: Function) -> None:
    """In evaluation the running statistics normalise, and stay."""
    y, mean, var = found(batch_norm, PARAMS, X, train=False)
    hold(
        np.allclose(mean, RUNNING[0]) and np.allclose(var, RUNNING[1]),
        "in evaluation the running statistics must stay as they are",
    )
    alone, *_ = found(batch_norm, PARAMS, X[1:2], train=False)
    near = np.allclose(alone[0], y[1], rtol=1e-3, atol=1e-3)
    said = "in evaluation a row alone must have the same y as among others"
    hold(near, f"{said} (use the running mean and variance)")
    wanted = PARAMS[0] * (X - RUNNING[0]) / np.sqrt(RUNNING[1] + 1e-5) + PARAMS[1]
    same(y, wanted, "in evaluation, y", lambda: "is it the root of the variance?", near=1e-3)


def constant_feature(batch_norm: Function) -> None:
    """A feature that is the same in all rows becomes beta."""
    x = X.copy()
    x[:, 1] = 2
    y, *_ = found(batch_norm, PARAMS, x, train=True)
    hint = "is eps = 1e-5 added to the variance, in the root?"
    same(y[:, 1], PARAMS[1, 1], "a feature that is 2 in all rows", lambda: hint)
    x = (X * 1e-3).astype(np.float32)
    y, *_ = found(batch_norm, PLAIN, x, train=True)
    std = np.sqrt(x.var(0) / (x.var(0) + 1e-5))
    same(y.std(0), std, "for values near 0.001 the standard deviation of y", lambda: hint, 1e-3)


def inside_jit(batch_norm: Function) -> None:
    """It works inside jax.jit, with a fixed train."""
    for train in (True, False):
        plain = found(batch_norm, PARAMS, X, train=train)
        jitted = found(jax.jit(batch_norm, static_argnums=3), PARAMS, X, train=train)
        for before, after in zip(plain, jitted, strict=True):
            same(after, before, f"inside jax.jit with train={train}, the result", near=1e-3)


EXERCISE = Exercise(
    8,
    "BatchNorm",
    "batch_norm(params: tuple, running: tuple, x: jax.Array, train: bool) -> tuple",
    """Normalise the features of a batch, as BatchNorm does.

params is (gamma, beta) and running (mean, variance), each an array [features]; x is a batch
[rows, features]. Return (y, running); y = gamma * (x - mean) / sqrt(variance + 1e-5) + beta.
In training, mean and variance are those of the batch, with the biased variance (divided by
rows). The new running mean is 0.9 * old + 0.1 * mean of the batch. The new running variance is
0.9 * old + 0.1 * unbiased variance of the batch (divided by rows - 1). In evaluation, mean and
variance are those of running, and running is returned as it is.
""",
    (normalised, gamma_and_beta, running_moves, evaluation, constant_feature, inside_jit),
)
