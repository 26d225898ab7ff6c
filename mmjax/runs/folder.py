"""The run folder: its files, and how they are written."""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from mmjax.data.vocab import Vocab
from mmjax.diagnostics.cockpit import Gauge, saved
from mmjax.errors import InputError, require
from mmjax.io import files
from mmjax.io.text import shown
from mmjax.model import Predictor
from mmjax.runs import weights
from mmjax.runs.layout import (
    CONFIG,
    FIGURES,
    INSTRUMENTS,
    LOSSES,
    MEMBER,
    METRICS,
    MODEL,
    PLAYGROUND,
    REPORT,
    SAMPLES,
    SUMMARY,
    finite,
    make_folder,
    plain,
)
from mmjax.runs.reading import is_finished, lines
from mmjax.runs.rotation import Checkpoints
from mmjax.runs.samples import sample_lines


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Make a run folder and lock it within the block.

    The lock keeps out every other program that claims the folder. The system releases it if this
    program is killed. Where a folder cannot be locked, the block runs without a lock. Raises
    `InputError` if the folder cannot be made or another program holds the lock.
    """
    make_folder(path)
    try:
        folder = os.open(path, os.O_RDONLY)
    except OSError:  # Windows cannot open a folder
        folder = None
    if folder is None:
        yield
        return
    try:
        with suppress(ImportError):  # Windows has no such lock
            import fcntl

            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(
                    f"{path}: another program is writing to it; wait until it ends, or give another --out"
                ) from None
            except OSError:  # some network file systems cannot lock a folder
                pass
        yield
    finally:
        os.close(folder)


class RunFolder:
    """One run's files.

    Opening it makes the folder and, except with `resume`, removes an earlier run's files. Raises
    `InputError` if nothing can be written there. It also raises if the earlier run is unfinished
    and neither `resume` nor `overwrite` is given; the earlier files then stay.
    """

    def __init__(
        self, path: Path, options: Any, *, resume: bool = False, overwrite: bool = False
    ) -> None:
        self.path = path
        make_folder(path)
        checkpoints = Checkpoints(path, keep=1)
        require(
            resume or overwrite or not checkpoints.paths() or is_finished(path),
            f"{path}: holds an unfinished run; continue it with --resume, start over with "
            "--overwrite, or give another --out",
        )
        self.write_json(CONFIG, plain(options))
        for folder in (path, checkpoints.folder):
            files.remove_unfinished(folder)
        if resume:
            return
        checkpoints.clear()
        files.write(path / METRICS, "")
        pages = (REPORT, PLAYGROUND)
        kept = (SUMMARY, SAMPLES, INSTRUMENTS)
        results = ("*.safetensors", *kept, *pages, LOSSES, f"{FIGURES}/*.svg")
        members = [f"{MEMBER}*/{name}" for name in (*results, CONFIG, METRICS)]
        for old in [file for pattern in (*results, *members) for file in path.glob(pattern)]:
            old.unlink()
        for folder in [
            checkpoints.folder,
            *path.glob(f"{MEMBER}*/{FIGURES}"),
            *path.glob(f"{MEMBER}*"),
        ]:
            with suppress(OSError):  # it is missing, or holds something else
                folder.rmdir()

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write `content` as JSON, one key per line.

        NaN and infinity, which JSON does not have, become null.
        """
        files.write(self.path / name, json.dumps(finite(content), indent=2) + "\n")

    def write_samples(self, samples: Sequence[tuple[str, str]]) -> None:
        """Write the sampled names with their marks, one name per line."""
        files.write(self.path / SAMPLES, "\n".join([*sample_lines(samples, escape=False), ""]))

    def write_model(self, predictor: Predictor, vocab: Vocab, name: str = MODEL) -> None:
        """Write the weights."""
        weights.save(self.path / name, predictor, vocab)

    def add_metrics(self, record: dict[str, Any]) -> None:
        """Append one line to the run's metrics."""
        line = json.dumps(finite(record))
        with self._metrics("a") as file:
            file.write(line + "\n")

    def sync_metrics(self) -> None:
        """Flush the metrics to the disk."""
        with self._metrics("a") as file:
            os.fsync(file.fileno())

    def cut_metrics(self, step: int) -> None:
        """Drop the metrics of steps after `step`.

        A line that was cut off is dropped, too. If the last line left is not that of `step`, say so
        on standard error.
        """
        kept = []
        for line in lines(self.path / METRICS) if (self.path / METRICS).exists() else []:
            with suppress(ValueError, TypeError, KeyError, RecursionError):
                if json.loads(line)["step"] <= step:
                    kept.append(line)
        last = json.loads(kept[-1])["step"] if kept else 0
        if last != step:
            print(
                f"{self.path / METRICS}: its last line is of step {last:,}, not {step:,}; continuing without the missing lines",
                file=sys.stderr,
            )
        files.write(self.path / METRICS, "".join(f"{line}\n" for line in kept))

    @contextmanager
    def _metrics(self, mode: str) -> Iterator[TextIO]:
        path = self.path / METRICS
        try:
            with path.open(mode, encoding="utf-8") as file:
                yield file  # pyright: ignore[reportReturnType]
                file.flush()
        except OSError as error:
            raise InputError(f"{path}: cannot be written: {error.strerror}") from None

    def write_summary(self, figures: Mapping[str, Any]) -> None:
        """Write the final figures."""
        self.write_json(SUMMARY, figures)

    def write_instruments(self, gauges: Sequence[Gauge]) -> None:
        """Write the instruments."""
        self.write_json(INSTRUMENTS, saved(gauges))

    def contents(self) -> str:
        """Return the folder and the names of its files, for a closing line."""
        return shown(f"{self.path}: {', '.join(sorted(file.name for file in self.path.iterdir()))}")
