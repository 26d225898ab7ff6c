"""Exercise 6: a loop of steps as one scan."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.exercises.exercise import Exercise, Function, array, couple, hold, kind, same

INPUTS = np.array([3, -1, 4, 1, -5, 9, 2], np.float32)


def add(state: Any, x: Any) -> tuple[Any, Any]:
    """Return the sum so far, and the square of the input."""
    return state + x, x * x


def found(run: Function, state: Any = 0.0, inputs: np.ndarray = INPUTS) -> tuple[Any, Any]:
    """Return the learner's state and outputs of `add`."""
    back = run(add, jnp.asarray(state, jnp.float32), jnp.asarray(inputs))
    return couple(back, "(state, outputs)")


def last_state(run: Function) -> None:
    """The state is that after the last input."""
    state, _ = found(run, 10.0)
    swapped = np.shape(state) == INPUTS.shape
    hold(not swapped, "must return (state, outputs) in this order, not (outputs, state)")
    same(
        array(state, (), "the state"),
        10 + INPUTS.sum(),
        f"with the inputs {INPUTS.astype(int).tolist()} and the state 10 before them, a step that"
        " adds its input to the state, the last state",
        lambda: "is it the given state at the beginning, and the last one at the end?",
    )


def stacked_outputs(run: Function) -> None:
    """The outputs of all steps are stacked along the first axis."""
    for inputs in (INPUTS, INPUTS[:1]):
        _, outputs = found(run, 0.0, inputs)
        given = f"with the inputs {inputs.astype(int).tolist()} and a step that returns x * x,"
        same(array(outputs, inputs.shape, f"{given} outputs"), inputs**2, f"{given} the output")


def any_state(run: Function) -> None:
    """The state may be any pytree, and the loop is the plain one."""
    inputs = np.random.default_rng(6).normal(size=(13, 5)).astype(np.float32)

    def step(state: Any, x: Any) -> tuple[Any, Any]:
        mean = 0.9 * state["mean"] + 0.1 * x
        count, largest = state["rest"]
        rest = (count + 1, jnp.maximum(largest, jnp.max(x)))
        return {"mean": mean, "rest": rest}, {"distance": jnp.sum((x - mean) ** 2)}

    start = {"mean": jnp.zeros(5), "rest": (jnp.int32(0), jnp.float32(-9))}
    state, outputs = couple(run(step, {**start}, jnp.asarray(inputs)), "(state, outputs)")
    wanted: Any = {**start}
    distances = []
    for x in inputs:
        wanted, output = step(wanted, jnp.asarray(x))
        distances.append(output["distance"])
    fits = jax.tree.structure(state) == jax.tree.structure(wanted)
    hold(fits, f"with a dict as the state it must return such a dict, not {kind(state)}")
    for got, right in zip(jax.tree.leaves(state), jax.tree.leaves(wanted), strict=True):
        same(array(got, right.shape, "a leaf of the state"), right, "a leaf of the state, a dict,")
    fits = isinstance(outputs, dict) and [*outputs] == ["distance"]
    hold(fits, f"with a dict as each output, outputs must be a dict of arrays, not {kind(outputs)}")
    got = array(outputs["distance"], (13,), "with a dict as each output, outputs['distance']")
    same(got, distances, "the output of a step")


def traced_once(run: Function) -> None:
    """The step is traced, not called for each input."""
    calls = []

    def step(state: Any, x: Any) -> tuple[Any, Any]:
        calls.append(None)
        return state + x, state

    run(step, jnp.zeros(()), jnp.zeros(500))
    hold(
        1 <= len(calls) <= 3,
        f"500 inputs called step {len(calls)} times; jax.lax.scan calls it once or twice, to trace"
        " it (is there a Python loop?)",
    )


def inside_jit(run: Function) -> None:
    """It works inside jax.jit."""
    state, outputs = jax.jit(lambda state, inputs: run(add, state, inputs))(
        jnp.zeros(()), jnp.asarray(INPUTS)
    )
    same(array(state, (), "the state"), INPUTS.sum(), "inside jax.jit, the state")
    same(array(outputs, INPUTS.shape, "outputs"), INPUTS**2, "inside jax.jit, the output")


EXERCISE = Exercise(
    6,
    "a loop as one scan",
    "run(step, state, inputs: jax.Array) -> tuple",
    """Do a step for each input, as one jax.lax.scan.

step(state, x) returns (state, output); state is any pytree, and so is output. inputs is an
array whose first axis is the time. Return the state after the last input, and the outputs
stacked along a first axis, as this loop does:
    for x in inputs:
        state, output = step(state, x)
""",
    (last_state, stacked_outputs, any_state, traced_once, inside_jit),
    "import jax\n",
)
