"""What every program does the same way: options, errors, interruption, and what it shows."""

import io
import os
import signal
import stat
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeVar

import jax
import tyro

from mmjax import InputError, corpus
from mmjax.sample import Sample

Options = TypeVar("Options")
KEPT_DAYS = 30  # how long what was compiled is kept
MARKERS = (tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff)  # flat options, no --no-x


@dataclass(frozen=True)
class NameList:
    """Which names."""

    names: Path = Path("data/names.txt")
    """The list: a UTF-8 text file with one name a line."""
    unique: bool = False
    """Use a name that stands more than once only once."""

    def read(self) -> list[str]:
        """The names of the list. Raises `InputError` as `corpus.read_names` does."""
        return corpus.read_names(self.names, unique=self.unique)


def split_with_unseen(names: list[str], *, seed: int, shuffles: int) -> dict[str, list[str]]:
    """The parts of the list, and of validation and test also the names that the training part lacks.

    Raises `InputError` as `corpus.split` does.
    """
    splits = corpus.split(names, seed=seed, shuffles=shuffles)
    parts, known = splits._asdict(), frozenset(splits.train)
    for part in ("val", "test"):
        parts[f"{part}_unseen"] = corpus.unseen(parts[part], known)
    return parts


def compile_quickly() -> None:
    """Let XLA leave out the last level of optimisation, here and in the programs started from here.

    Compilation takes two thirds of the time, and the code is as fast. What the user has set stands.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_backend_optimization_level" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --xla_backend_optimization_level=2".strip()


def a_device_for_each_core(most: int) -> None:
    """Let JAX take each core, `most` of them at most, for a device of its own, if there is no accelerator.

    Only before anything has been computed; later, or where XLA_FLAGS say how many, all stays as it is.
    """
    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        with suppress(RuntimeError):
            jax.config.update("jax_num_cpu_devices", min(most, len(os.sched_getaffinity(0))))


def keep_compiled() -> None:
    """Keep what XLA compiles for the next run, in a folder of the user's own.

    It holds machine code that is run as it is found. So it is left alone where anybody else could have written
    into it, and where the user has chosen a place of their own (JAX_COMPILATION_CACHE_DIR).
    """
    chosen = getattr(jax.config, "jax_compilation_cache_dir", None)
    if chosen or not hasattr(os, "getuid"):
        return
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mmjax"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError:
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


def main(
    module: str,
    options: type[Options] | Callable[[Arguments], type[Options]],
    program: Callable[[Options], int],
) -> NoReturn:
    """Run `program` on the command line's options and exit with its status.

    Which options there are may depend on the command line.

    Bad input is one line on standard error and status 2; Ctrl-C before or after training is 130.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # pyright: ignore[reportAttributeAccessIssue]
    compile_quickly()
    keep_compiled()
    try:
        kind: Any = options if isinstance(options, type) else options(sys.argv[1:])
        status = program(parse(module, kind))
        sys.stdout.flush()
    except InputError as error:
        print(f"{module}: {shown(str(error))}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        print(f"{module}: interrupted", file=sys.stderr)
        status = 128 + signal.SIGINT
    except BrokenPipeError:  # the reader of our output has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status)


def parse(module: str, options: type[Options]) -> Options:
    """The command line's options. Raises `InputError` with what tyro says in its frame, as one line."""
    framed = io.StringIO()
    try:
        with redirect_stderr(framed):
            return tyro.cli(options, prog=f"python -m {module}", config=MARKERS)
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


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Within the block, the first Ctrl-C (or SIGTERM) is only noted; the second one ends the program."""
    interruption = Interruption()
    signals = (signal.SIGINT, signal.SIGTERM)

    def note(number: int, _: object) -> None:
        interruption.status = 128 + number
        restore()
        print("\nfinishing; once more to leave at once", file=sys.stderr)

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

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


def sample_lines(samples: Sequence[Sample], known: frozenset[str]) -> list[str]:
    """A line for each sample: the name, a tab, and its mark."""
    return [f"{shown(sample.name)}\t{mark(sample, known)}" for sample in samples]


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
