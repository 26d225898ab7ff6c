"""Exercise 4: the bigram network, its loss and its gradient."""

from math import log

import jax.numpy as jnp
import numpy as np

from experiments.exercises.exercise import Exercise, Function, array, couple, hold, number, same

N = 7
CONTEXTS = np.array([0, 1, 1, 4, 5, 6, 4, 4, 0, 6, 1], np.int32)  # no 2 and no 3
TARGETS = np.array([3, 2, 0, 4, 4, 1, 5, 2, 3, 6, 1], np.int32)
WEIGHTS = np.random.default_rng(4).normal(size=(N, N)).astype(np.float32)


def found(loss_and_grad: Function, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the learner's loss and gradient."""
    back = loss_and_grad(jnp.asarray(weights), jnp.asarray(CONTEXTS), jnp.asarray(TARGETS))
    loss, grad = couple(back, "(loss, grad)")
    return number(loss, "the loss"), array(grad, (N, N), "the gradient")


def loss_by_hand(weights: np.ndarray) -> float:
    """Return the loss in float64, one example after another."""
    rows = weights.astype(np.float64)
    losses = []
    for context, target in zip(CONTEXTS, TARGETS, strict=True):
        row = rows[context] - rows[context].max()
        losses.append(log(sum(np.exp(row))) - row[target])
    return sum(losses) / len(losses)


def zero_weights(loss_and_grad: Function) -> None:
    """Zero weights have the loss log(n)."""
    loss, _ = found(loss_and_grad, np.zeros((N, N), np.float32))
    summed = abs(loss - log(N) * len(TARGETS)) < 1e-3
    same(
        loss,
        log(N),
        f"with all weights 0 the loss of {len(TARGETS)} examples over {N} letters",
        lambda: "is it the mean over the examples, or the sum?" if summed else f"it is log({N})",
    )


def plain_loss(loss_and_grad: Function) -> None:
    """The loss is the mean cross-entropy."""
    loss, _ = found(loss_and_grad, WEIGHTS)
    same(
        loss,
        loss_by_hand(WEIGHTS),
        "with random weights the loss",
        lambda: "is row c of the weights the logits after the context c?",
    )


def other_rows(loss_and_grad: Function) -> None:
    """A row of weights that no context names has the gradient 0."""
    _, grad = found(loss_and_grad, WEIGHTS)
    for row in (2, 3):
        hold(
            (grad[row] == 0).all(),
            f"no context is {row}, so row {row} of the gradient must be 0, "
            f"but its largest entry is {abs(grad[row]).max():.4g} (row or column?)",
        )


def rows_balance(loss_and_grad: Function) -> None:
    """The gradient of every row sums to 0."""
    _, grad = found(loss_and_grad, WEIGHTS)
    same(
        grad.sum(1),
        0,
        "adding the same number to all weights of a row leaves the loss, so the sum over a row of"
        " the gradient",
        lambda: "are the targets taken away from the probabilities?",
        near=1e-5,
    )


def slopes(loss_and_grad: Function) -> None:
    """The gradient is the slope of the loss along each weight."""
    _, grad = found(loss_and_grad, WEIGHTS)
    wanted = np.zeros((N, N))
    for i in range(N):
        for j in range(N):
            step = np.zeros((N, N))
            step[i, j] = 1e-5
            wanted[i, j] = (loss_by_hand(WEIGHTS + step) - loss_by_hand(WEIGHTS - step)) / 2e-5
    m = len(TARGETS)
    causes = {-1: "is its sign turned?", m: f"is it divided by the {m} examples?"}

    def hint() -> str:
        near = [text for k, text in causes.items() if np.allclose(grad, k * wanted, atol=1e-3)]
        return "".join(near)

    same(grad, wanted, "the gradient", hint, near=1e-4)


def large_weights(loss_and_grad: Function) -> None:
    """Large weights do not overflow."""
    loss, grad = found(loss_and_grad, 1000 * WEIGHTS)
    hint = "subtract the largest logit of each row before exp, or use jax.nn.log_softmax"
    same(loss, loss_by_hand(1000 * WEIGHTS), "with weights as large as 1000 the loss", lambda: hint)
    hold(np.isfinite(grad).all(), f"with weights as large as 1000 the gradient has NaN ({hint})")


EXERCISE = Exercise(
    4,
    "the bigram network and its gradient",
    "loss_and_grad(weights: jax.Array, contexts: jax.Array, targets: jax.Array) -> tuple",
    """Return the loss of the bigram network and its gradient.

weights is an array [n, n]: row c has the logits of the letter after the letter c. contexts and
targets are arrays of whole numbers [m]: the letters that come before, and those that follow.
The loss is the mean cross-entropy over the m examples, with softmax(weights[contexts]) as the
probabilities. Return (loss, gradient [n, n] with respect to weights), by jax.grad or by hand.
""",
    (zero_weights, plain_loss, other_rows, rows_balance, slopes, large_weights),
)
