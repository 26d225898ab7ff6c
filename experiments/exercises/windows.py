"""Exercise 5: cut names into contexts and targets."""

from collections.abc import Sequence

import numpy as np

from experiments.exercises.exercise import Exercise, Function, array, couple, hold

Names = Sequence[Sequence[int]]
NAMES = [[5, 13, 13, 1], [2], [3, 9, 2, 7, 1, 4, 8, 8, 6, 10, 12], [15, 12], [1, 1, 1, 1, 1, 1, 2]]
BLOCK = 3


def found(windows: Function, names: Names, block_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the learner's contexts and targets."""
    back = windows([[*name] for name in names], block_size)
    contexts, targets = couple(back, "(contexts, targets)")
    m = sum(len(name) + 1 for name in names)
    where = f" for {[[*name] for name in names]} and block_size {block_size}"
    where += f" ({m - len(names)} letters and {len(names)} ends)"
    return (
        array(contexts, (m, block_size), f"contexts{where}").astype(int),
        array(targets, (m,), f"targets{where}").astype(int),
    )


def places(names: Names) -> list[int]:
    """Return where the examples of each name begin."""
    return [sum(len(name) + 1 for name in names[:i]) for i in range(len(names))]


def how_many(windows: Function) -> None:
    """There is an example for each letter, and one for the end of each name."""
    for names in ([[5, 13, 13, 1]], NAMES):
        found(windows, names, BLOCK)


def targets_are_names(windows: Function) -> None:
    """The targets of a name are its letters, then 0."""
    _, targets = found(windows, NAMES, BLOCK)
    for start, name in zip(places(NAMES), NAMES, strict=True):
        got, wanted = targets[start : start + len(name) + 1].tolist(), [*name, 0]
        hold(got == wanted, f"the targets of the name {name} must be {wanted}, not {got}")


def names_begin_with_zeros(windows: Function) -> None:
    """The first context of each name is all zeros."""
    contexts, _ = found(windows, NAMES, BLOCK)
    for start, name in zip(places(NAMES), NAMES, strict=True):
        got = contexts[start].tolist()
        hint = "does it begin anew with every name, and does each example have its own list?"
        if got == [*[0] * (BLOCK - 1), name[0]]:
            hint = "it already holds its target: store the context before you add the letter"
        hold(not any(got), f"the first context of the name {name} is {got}, not all 0 ({hint})")


def windows_slide(windows: Function) -> None:
    """The next context is the last one moved by a letter, with the target at its end."""
    contexts, targets = found(windows, NAMES, BLOCK)
    for start, name in zip(places(NAMES), NAMES, strict=True):
        for i in range(start, start + len(name)):
            got, before = contexts[i + 1].tolist(), contexts[i].tolist()
            wanted = [*before[1:], int(targets[i])]
            hint = " (the newest letter stands last)" if got == wanted[::-1] else ""
            hold(
                got == wanted,
                f"in the name {name} the context {before} with the target {targets[i]} must be"
                f" followed by the context {wanted}, not {got}{hint}",
            )


def other_block_sizes(windows: Function) -> None:
    """Contexts of one letter give the pairs, and those of 11 hold the name so far."""
    for block_size in (1, 11):
        contexts, targets = found(windows, NAMES, block_size)
        for start, name in zip(places(NAMES), NAMES, strict=True):
            for i in range(len(name) + 1):
                wanted = [*[0] * block_size, *name[:i]][-block_size:]
                got = contexts[start + i].tolist()
                hold(
                    got == wanted and targets[start + i] == [*name, 0][i],
                    f"with block_size {block_size} the context before the target"
                    f" {[*name, 0][i]} of {name} must be {wanted}, not {got}",
                )


def names_alone(windows: Function) -> None:
    """A name has the same examples alone as among others."""
    contexts, targets = found(windows, NAMES, BLOCK)
    for start, name in zip(places(NAMES), NAMES, strict=True):
        alone, own = found(windows, [name], BLOCK)
        end = start + len(own)
        hold(
            (alone == contexts[start:end]).all() and (own == targets[start:end]).all(),
            f"the name {name} has the contexts {alone.tolist()} alone,"
            f" but {contexts[start:end].tolist()} among others",
        )


EXERCISE = Exercise(
    5,
    "contexts and targets",
    "windows(names: list[list[int]], block_size: int) -> tuple[jax.Array, jax.Array]",
    """Cut names into examples: the letters before, and the next one.

names has a list of whole numbers of at least 1 for each name; 0 stands for the end of a name.
There is one example for each letter of a name, and one for its end, in the order of the names.
Return (contexts [m, block_size], targets [m]). A context has the last block_size letters before
its target, the newest last; it begins with zeros at the beginning of each name. With block_size
2 the name [5, 1] has the contexts [0, 0], [0, 5], [5, 1] and the targets 5, 1, 0.
""",
    (
        *(how_many, targets_are_names, names_begin_with_zeros, windows_slide),
        *(other_block_sizes, names_alone),
    ),
    "import jax\nimport jax.numpy as jnp\n",
)
