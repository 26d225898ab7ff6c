"""Solve and check the exercises of the guide: `python -m experiments.exercise N`."""

import os
from dataclasses import dataclass
from pathlib import Path

import tyro

from experiments.exercises import (
    batch_norm,
    batch_norm_backward,
    best_weight,
    count_pairs,
    diagnose,
    init,
    loss,
    loss_and_grad,
    probabilities,
    run,
    train_many,
    windows,
)
from experiments.exercises.checking import check, skeleton
from experiments.exercises.exercise import Exercise
from mmjax.cli.program import main
from mmjax.errors import InputError, require
from mmjax.io import files
from mmjax.io.text import shown

MODULES = (
    *(count_pairs, probabilities, loss, loss_and_grad, windows, run),
    *(init, batch_norm, batch_norm_backward, diagnose, best_weight, train_many),
)
EXERCISES = [module.EXERCISE for module in MODULES]
COMMAND = "python -m experiments.exercise"


@dataclass(frozen=True)
class Options:
    """Solve the exercises of the guide, and check what you wrote.

    Without a number it lists the exercises. The first time it writes a file to fill in; after that
    it checks the file and says what is wrong first.
    """

    number: tyro.conf.Positional[int | None] = None
    """Exercise 1 to 12."""
    file: Path | None = None
    """Your file; by default exercises/01.py for the first exercise."""


def program(options: Options) -> int:
    """List the exercises, begin one or check one; return the exit status."""
    if options.number is None:
        require(options.file is None, "--file needs the number of an exercise")
        print("\n".join(map(line, EXERCISES)))
        print(f"\nBegin or check one with {COMMAND} 1")
        return 0
    require(
        1 <= options.number <= len(EXERCISES),
        f"{options.number}: give the number of an exercise, 1 to {len(EXERCISES)}",
    )
    exercise = EXERCISES[options.number - 1]
    path = options.file or default_path(exercise)
    again = f"{COMMAND} {exercise.number}{f' --file {path}' if options.file else ''}"
    task = "\n".join(f"    {text}".rstrip() for text in exercise.task.splitlines())
    print(f"Exercise {exercise.number}: {exercise.title}\n\n{exercise.signature}\n{task}\n")
    return checked(exercise, path) if os.path.lexists(path) else begun(exercise, path, again)


def line(exercise: Exercise) -> str:
    """Return an exercise's line in the list."""
    path = default_path(exercise)
    state = f"in {path}" if path.exists() else "not begun"
    return f"{exercise.number:2}  {exercise.title:46}{state}"


def default_path(exercise: Exercise) -> Path:
    """Return the path of the learner's file."""
    return Path("exercises", f"{exercise.number:02}.py")


def begun(exercise: Exercise, path: Path, again: str) -> int:
    """Write the file to fill in; return the exit status."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path.parent}: cannot be made: {error.strerror}") from None
    files.write(path, skeleton(exercise))
    print(f"{path} is written. Replace its last line, then run again:\n{again}")
    return 0


def checked(exercise: Exercise, path: Path) -> int:
    """Check the learner's file and print what holds; return the exit status."""
    held, trouble = check(exercise, path)
    for name in held:
        print(f"✓ {name}")
    if trouble:
        print(f"✗ {shown(trouble)}")
        return 1
    print(
        f"\nAll {len(held)} laws hold. Compare with docs/guide/solutions/{exercise.number:02}.py."
    )
    if exercise.number < len(EXERCISES):
        following = EXERCISES[exercise.number]
        print(f"Next: {following.title}: {COMMAND} {following.number}")
    else:
        print("It was the last exercise.")
    return 0


if __name__ == "__main__":
    main(COMMAND, Options, program)
