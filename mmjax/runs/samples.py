"""Sampled names with their marks, and the file that holds them."""

from collections.abc import Sequence
from pathlib import Path

from mmjax.generate.sample import Sample
from mmjax.io.text import shown
from mmjax.runs.layout import SAMPLES
from mmjax.runs.reading import lines


def mark(sample: Sample, known: frozenset[str] | None) -> str:
    """Return the mark of a sampled name.

    It says whether the name is new or in the list, if there is one, and whether it was cut at the
    maximum length.
    """
    found = [] if known is None else ["in the list" if sample.name in known else "new"]
    return ", ".join([*found, *["cut"] * (not sample.ended)])


def marked(samples: Sequence[Sample], known: frozenset[str] | None) -> list[tuple[str, str]]:
    """Return each sampled name with its mark."""
    return [(sample.name, mark(sample, known)) for sample in samples]


def sample_lines(marked: Sequence[tuple[str, str]], *, escape: bool = True) -> list[str]:
    """Return a line for each sample: name, tab, mark, or the name alone if the mark is empty.

    With `escape`, as a terminal needs it, the name has no non-printable characters.
    """
    lines = [(shown(name) if escape else name, mark) for name, mark in marked]
    return [f"{name}\t{mark}" if mark else name for name, mark in lines]


def read_samples(path: Path) -> list[tuple[str, str]]:
    """Return a run's samples, each with its mark.

    Raises `InputError` if they cannot be read.
    """
    # A name may have a tab, a mark has none.
    parts = [line.rpartition("\t") for line in lines(path / SAMPLES)]
    return [(name, shown(mark)) if tab else (mark, "") for name, tab, mark in parts]
