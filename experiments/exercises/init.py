"""Exercise 7: the initial weights of a layer."""

import jax
import numpy as np

from experiments.exercises.exercise import Exercise, Function, array, couple, hold, same

FAN_IN, FAN_OUT, GAIN = 211, 307, 5 / 3
STD = GAIN / FAN_IN**0.5
COUNT = FAN_IN * FAN_OUT


def found(
    init: Function, seed: int = 0, fan_in: int = FAN_IN, fan_out: int = FAN_OUT, gain: float = GAIN
) -> tuple[np.ndarray, np.ndarray]:
    """Return the learner's weight and bias."""
    weight, bias = couple(init(jax.random.key(seed), fan_in, fan_out, gain), "(weight, bias)")
    where = f"with fan_in {fan_in} and fan_out {fan_out},"
    return array(weight, (fan_in, fan_out), f"{where} weight"), array(
        bias, (fan_out,), f"{where} bias"
    )


def shapes(init: Function) -> None:
    """The weight is [fan_in, fan_out] and the bias [fan_out]."""
    found(init)
    found(init, 0, 3, 2)


def zero_bias(init: Function) -> None:
    """The bias is 0."""
    _, bias = found(init)
    hold(not bias.any(), f"the bias must be 0, but its first entry is {bias[0]:.4g}")


def size_of_weights(init: Function) -> None:
    """The weights have the mean 0 and the standard deviation gain / sqrt(fan_in)."""
    for gain in (GAIN, 0.3):
        weight, _ = found(init, gain=gain)
        right, std = gain / FAN_IN**0.5, weight.std()
        causes = {
            gain: "is it divided by sqrt(fan_in)?",
            1 / FAN_IN**0.5: "is the gain missing?",
            gain / FAN_OUT**0.5: "is it fan_in, and not fan_out?",
            gain / FAN_IN: "is the root of fan_in missing?",
            gain * (2 / (FAN_IN + FAN_OUT)) ** 0.5: "is it fan_in alone?",
        }
        hint = next((text for value, text in causes.items() if abs(std / value - 1) < 0.03), "")
        given = f"with fan_in {FAN_IN}, fan_out {FAN_OUT} and gain {gain:.4g}"
        hold(
            abs(std / right - 1) < 5 / (2 * COUNT) ** 0.5,
            f"{given} the standard deviation of the weights must be {right:.4g}, not {std:.4g}"
            + (f" ({hint})" if hint else ""),
        )
        mean = weight.mean()
        near = abs(mean) < 5 * right / COUNT**0.5
        hold(near, f"{given} the mean of the weights must be near 0, not {mean:.4g}")


def keys(init: Function) -> None:
    """The same key gives the same weights, and another key others."""
    (first, _), (again, _), (other, _) = (found(init, seed) for seed in (1, 1, 2))
    hold((first == again).all(), "the same key must give the same weights (is the key used?)")
    hold(
        (first != other).mean() > 0.99,
        "the keys jax.random.key(1) and jax.random.key(2) must not give the same weights"
        " (is the key that was given used?)",
    )


def normal(init: Function) -> None:
    """The weights have a normal distribution."""
    weight, _ = found(init)
    kurtosis = (weight**4).mean() / (weight**2).mean() ** 2
    hint = " (is it a uniform distribution?)" if abs(kurtosis - 1.8) < 0.1 else ""
    hold(
        abs(kurtosis - 3) < 5 * (24 / COUNT) ** 0.5,
        "the mean of (weight / std)**4 must be near 3, as that of a normal distribution, not"
        f" {kurtosis:.4g}{hint}",
    )


def outputs(init: Function) -> None:
    """Inputs of size 1 give outputs whose standard deviation is the gain."""
    weight, bias = found(init)
    x = np.random.default_rng(7).normal(size=(23, FAN_IN))
    x *= (FAN_IN / (x**2).sum(1, keepdims=True)) ** 0.5
    for std in (x @ weight + bias).std(1):
        same(
            std,
            GAIN,
            "the standard deviation of the layer's outputs for an input of size 1",
            lambda: "are all weights drawn, or are some of them the same?",
            near=5 / (2 * FAN_OUT) ** 0.5,
        )


EXERCISE = Exercise(
    7,
    "the initial weights of a layer",
    "init(key: jax.Array, fan_in: int, fan_out: int, gain: float) -> tuple[jax.Array, jax.Array]",
    """Draw the initial weights of a linear layer.

key is a key of jax.random. Return (weight [fan_in, fan_out], bias [fan_out]): weights from a
normal distribution with the mean 0 and the standard deviation gain / sqrt(fan_in), and a bias
of 0.
""",
    (shapes, zero_bias, size_of_weights, keys, normal, outputs),
    "import jax\nimport jax.numpy as jnp\n",
)
