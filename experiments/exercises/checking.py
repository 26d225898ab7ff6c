"""Load a learner's file and check it against the laws of its exercise."""

import inspect
import warnings
from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path
from threading import Thread
from traceback import extract_tb
from typing import Any

from experiments.exercises.exercise import Exercise, Function, LawError, name_of
from mmjax.errors import InputError, said
from mmjax.io import files

LIMIT = 60.0  # seconds for the file and for each law


def skeleton(exercise: Exercise) -> str:
    """Return the file that a learner begins with."""
    first, *rest = exercise.task.splitlines()
    lines = ["", *(f"    {line}".rstrip() for line in rest), "    "] if rest else []
    head = f'"""Exercise {exercise.number}: {exercise.title}."""\n\n{exercise.imports}\n\n'
    docstring = f'    """{first}' + "\n".join(lines) + '"""\n'
    return f"{head}def {exercise.signature}:\n{docstring}    raise NotImplementedError\n"


def check(exercise: Exercise, path: Path) -> tuple[list[str], str]:
    """Return the names of the laws that hold, and what is wrong, or nothing.

    Stops at the first law that is broken. Raises `InputError` if the file cannot be read.
    """
    held: list[str] = []
    source = text_of(path)
    doing = "the file"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of the learner's code do not matter here
            function = within(lambda: loaded(exercise, source, path))
            for law in exercise.laws:
                doing = f"the law '{name_of(law)}'"
                within(lambda law=law: law(function))
                held.append(name_of(law))
    except OverTimeError:
        return held, f"{path.name}: {doing} took more than {LIMIT:g} s (is there an endless loop?)"
    except LawError as broken:
        return held, f"{path.name}: {exercise.name}: {broken}"
    except (Exception, SystemExit) as error:
        return held, failure(error, exercise, path, doing)
    return held, ""


def text_of(path: Path) -> str:
    """Return the learner's source text."""
    try:
        return files.read(path, "give a Python file with --file").decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8; save it as UTF-8 text") from None


def loaded(exercise: Exercise, source: str, path: Path) -> Function:
    """Run the learner's file and return the exercise's function."""
    module: dict[str, Any] = {"__name__": f"exercise_{exercise.number}", "__file__": str(path)}
    exec(compile(source, str(path), "exec", dont_inherit=True), module)
    function = module.get(exercise.name)
    if function is None:
        raise LawError(f"is not in the file; write def {exercise.call}")
    if not callable(function):
        raise LawError(f"must be a function, not a {type(function).__name__}")
    try:
        inspect.signature(function).bind(*exercise.arguments)
    except TypeError:
        count = len(exercise.arguments)
        arguments = f"{count} argument{'s' * (count > 1)}"
        raise LawError(f"must take {arguments}; write def {exercise.call}") from None
    return function


class OverTimeError(Exception):
    """The learner's code is still running after the limit."""


def within(work: Callable[[], Any]) -> Any:
    """Do work in a thread of its own, for at most `LIMIT` seconds; return its result.

    The main thread waits, so it obeys Ctrl-C even while compiled code is running. A thread that is
    not done by then is left alone, and ends with the program.
    """
    future: Future[Any] = Future()

    def done() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # also SystemExit
            future.set_exception(error)

    Thread(target=done, daemon=True).start()
    if not wait([future], LIMIT).done:
        raise OverTimeError
    return future.result()


def failure(error: BaseException, exercise: Exercise, path: Path, doing: str) -> str:
    """Return what an exception in the learner's code was, and in which line."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path.name}, line {error.lineno}: {type(error).__name__}: {error.msg}"
    frames = [frame for frame in extract_tb(error.__traceback__) if frame.filename == str(path)]
    if isinstance(error, NotImplementedError) and not str(error) and frames:
        return f"{path.name}: {exercise.name}: still to be written (line {frames[-1].lineno})"
    where = f"{path.name}, line {frames[-1].lineno}" if frames else f"{path.name}: {exercise.name}"
    message = said(error) if isinstance(error, Exception) else str(error)
    return f"{where}: {type(error).__name__}: {message} (in {doing})"
