"""What every program does the same way: options, errors, interruption, and what it shows."""

import argparse
import dataclasses
import io
import json
import os
import re
import signal
import stat
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeVar, get_type_hints

import jax
import tyro

from mmjax import InputError, files
from mmjax.errors import require, said
from mmjax.sample import Sample

Options = TypeVar("Options")
KEPT_DAYS = 30  # how long what was compiled is kept
MARKERS = (tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff)  # flat options, no --no-x


def a_device_for_each_core(most: int) -> None:
    """Let JAX take each core, `most` of them at most, for a device of its own, if there is no accelerator.

    Only before anything has been computed; later, or where XLA_FLAGS say how many, all stays as it is.
    """
    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        with suppress(RuntimeError):
            jax.config.update("jax_num_cpu_devices", min(most, cores()))


def cores() -> int:
    """How many cores this process may use, or how many there are where the system does not say."""
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # macOS and Windows have no such call
        return os.cpu_count() or 1


def keep_compiled() -> None:
    """Keep what XLA compiles for the next run, in a folder of the user's own.

    It holds machine code that is run as it is found. So it is left alone where anybody else could have written
    into it, and where the user has chosen a place of their own (JAX_COMPILATION_CACHE_DIR).
    """
    chosen = getattr(jax.config, "jax_compilation_cache_dir", None)
    if chosen or not hasattr(os, "getuid"):
        return
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mmjax"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except (OSError, RuntimeError):  # RuntimeError: the user has no home
        return
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        return
    old = time.time() - KEPT_DAYS * 86_400
    for entry in folder.glob("jit_*"):
        with suppress(OSError):
            if entry.stat().st_mtime < old:
                entry.unlink()
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.05)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    # An entry that was cut off while it was written costs a compilation, and nobody need know.
    warnings.filterwarnings("ignore", "Error reading persistent compilation cache")


Arguments = Sequence[str]
# Which folder is written to, and how, is said anew each time; the vocabulary follows from the list.
NOT_TAKEN = ("out", "resume", "overwrite", "config", "vocab_size")


def main(
    module: str,
    options: type[Options] | Callable[[Arguments], type[Options]],
    program: Callable[[Options], int],
) -> NoReturn:
    """Run `program` on the command line's options and exit with its status.

    Which options there are may depend on the command line.

    Bad input, or a device that JAX cannot start, is one line on standard error and status 2;
    Ctrl-C before or after training is 130.
    """
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # notebooks have streams without it
        if reconfigure:
            reconfigure(errors="backslashreplace")
    keep_compiled()
    try:
        arguments = sys.argv[1:]
        saved = config_of(arguments)
        if saved:
            arguments = [*as_typed(saved, options), *arguments]
        status = program(parse(module, kind_of(options, arguments), arguments))
        print(end="", flush=True)
    except InputError as error:
        print(f"{module}: {shown(str(error))}", file=sys.stderr)
        status = 2
    except (RuntimeError, AssertionError) as error:
        trouble = device_trouble(error)
        if trouble is None:
            raise
        print(f"{module}: {shown(trouble)}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt as stop:
        print(f"{module}: interrupted{stop}", file=sys.stderr)
        status = 128 + signal.SIGINT
    except BrokenPipeError:  # the reader of our output has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status)


DEVICE_VARIABLES = ("JAX_PLATFORMS", "JAX_PLATFORM_NAME", "JAX_DEFAULT_DEVICE")
NO_DEVICE = re.compile(
    r"(Unable to initialize backend |Backend '[^']*' failed to initialize|Unknown backend)"
)
ADVICE_OF_JAX = re.compile(r" \((set JAX_PLATFORMS|you may need to)[^()]*\)$")


def device_trouble(error: RuntimeError | AssertionError) -> str | None:
    """What to tell the user if JAX cannot start a device; None for every other error."""
    if isinstance(error, AssertionError):  # JAX says nothing where every platform is left out
        try:
            jax.devices()
            return None
        except (RuntimeError, AssertionError) as again:
            error = again
    elif not NO_DEVICE.match(str(error)):
        return None
    reason = ADVICE_OF_JAX.sub("", " ".join(str(error).split())).rstrip(".") or "it finds none"
    named = [f"{name}={os.environ[name]}" for name in DEVICE_VARIABLES if os.environ.get(name)]
    where = f" with {' '.join(named)}" if named else ""
    remedy = "leave that out, or set" if named else "set"
    return (
        f"JAX cannot start a device{where}: {said(RuntimeError(reason))}; "
        f"{remedy} JAX_PLATFORMS=cpu to use the CPU"
    )


def kind_of(
    options: type[Options] | Callable[[Arguments], type[Options]], arguments: Arguments
) -> type[Options]:
    """The options that there are on a command line."""
    kind: Any = options if isinstance(options, type) else options(arguments)
    return kind


def chosen(name: str, arguments: Arguments) -> str | None:
    """What a command line says of one option; what is wrong there is for others to say."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument(f"--{name}", nargs="?")
    return getattr(parser.parse_known_args(arguments)[0], name)


def config_of(arguments: Arguments) -> Path | None:
    """The file that options are to be taken from."""
    path = chosen("config", arguments)
    return Path(path) if path else None


def as_typed(
    path: Path, options: type[Options] | Callable[[Arguments], type[Options]]
) -> list[str]:
    """The options in a run's config.json as they would be typed, except those of `NOT_TAKEN`.

    Raises `InputError` if it cannot be read, or has an option that there is not, or that is no figure or text.
    """
    content = read_object(path)
    recipe = content.get("recipe", "")
    known = {field.name: field.default for field in flat(kind_of(options, [f"--recipe={recipe}"]))}
    unknown = [name for name in content if name not in known]
    require(not unknown, f"{path}: there is no option {', '.join(unknown)}; leave that out")
    typed = []
    for name, value in content.items():
        option = name.replace("_", "-")
        if name in NOT_TAKEN or value is None or value is known[name]:
            continue
        switch = isinstance(known[name], bool)
        require(
            isinstance(value, bool) == switch and not isinstance(value, list),
            f"{path}: {name} is {value!r}; give {'true or false' if switch else 'a figure or text'}",
        )
        if isinstance(value, bool):
            typed.append(f"--{option}" if value else f"--no-{option}")
        else:
            typed.append(f"--{option}={value}")
    return typed


def flat(kind: Any) -> Iterator[dataclasses.Field[Any]]:
    """The fields of an options dataclass and of those within it."""
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        if dataclasses.is_dataclass(hints[field.name]):
            yield from flat(hints[field.name])
        else:
            yield field


def parse(module: str, options: type[Options], arguments: Arguments) -> Options:
    """The command line's options. Raises `InputError` with what tyro says in its frame, as one line."""
    framed = io.StringIO()
    try:
        with redirect_stderr(framed):
            return tyro.cli(options, prog=f"python -m {module}", args=arguments, config=MARKERS)
    except SystemExit as end:
        if end.code != 2:  # --help
            raise
    lines = [line.strip("│╭╮╰╯─ ") for line in framed.getvalue().splitlines()]
    said = [line for line in lines if line and not line.startswith("For full helptext")]
    said = takewhile(lambda line: not line.startswith("Argument helptext"), said[1:])
    raise InputError(f"{' '.join(said).rstrip('.')}; see python -m {module} --help")


class Interruption:
    """Whether the user asked to stop: falsy, or true with the exit status in `status`."""

    def __init__(self) -> None:
        self.status = 0

    def __bool__(self) -> bool:
        return self.status != 0

    def stop(self, records: object) -> str | None:
        """Return why training is to end, for `train.fit`; None if it is not."""
        del records
        return "interrupted" if self else None


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Note the first Ctrl-C (or SIGTERM) within the block; the second one ends the program.

    Only the main thread can catch signals; in other threads nothing is noted.
    """
    interruption = Interruption()
    signals = (signal.SIGINT, signal.SIGTERM)

    def note(number: int, _: object) -> None:
        interruption.status = 128 + number
        restore()
        print("\nfinishing; once more to leave at once", file=sys.stderr)

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, note) for number in signals}
    try:
        yield interruption
    finally:
        restore()


def shown(text: str) -> str:
    """`text` with what a terminal would obey or not show (control characters and the like) escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def mark(sample: Sample, known: frozenset[str]) -> str:
    """Whether a sampled name is new or in the list, and whether it was cut at the greatest length."""
    return ("in the list" if sample.name in known else "new") + ", cut" * (not sample.ended)


def marked(samples: Sequence[Sample], known: frozenset[str]) -> list[tuple[str, str]]:
    """Return each sampled name with its mark."""
    return [(sample.name, mark(sample, known)) for sample in samples]


def sample_lines(marked: Sequence[tuple[str, str]]) -> list[str]:
    """Return a line for each name and its mark, separated by a tab."""
    return [f"{shown(name)}\t{mark}" for name, mark in marked]


LARGEST = 1e38  # a figure of float32


def read_object(
    path: Path, check: Callable[[dict[str, Any]], object] = lambda _: None
) -> dict[str, Any]:
    """A run's file of JSON: figures, text and lists of text by their names.

    Raises `InputError` if it cannot be read or is none, or `check` raises ValueError or KeyError.
    """
    data = files.read(path, "give a run folder")
    try:
        content = parsed(data.decode())
        check(content)
    except (ValueError, KeyError) as error:
        raise InputError(f"{path}: is no file of a run: {said(error)}") from None
    return content


def parsed(text: str) -> dict[str, Any]:
    """A JSON object of figures, text and lists of text. Raises ValueError if it is none."""
    try:
        content = json.loads(text, parse_constant=lambda _: None)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(content, dict):
        raise ValueError("it is no object")
    for name, value in content.items():
        for part in value if isinstance(value, list) else [value]:
            number = isinstance(part, int | float) and abs(part) < LARGEST
            if not (number or isinstance(part, str | None)):
                raise ValueError(f"{name} is {value!r}")
    return content


Cell = str | int | float | list[str] | None


class Table(NamedTuple):
    """A table for the terminal and for the report."""

    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    def cells(self) -> list[list[str]]:
        """The rows as they are shown: floats with 4 decimals, None as nothing, text as `shown`."""
        return [[cell(value) for value in row] for row in self.rows]

    def __str__(self) -> str:
        """Aligned columns: text to the left, numbers to the right."""
        lines = [list(self.header), *self.cells()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
            for line in lines
        )


def cell(value: Cell) -> str:
    """A value as tables show it."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else shown(str(value))
