"""Sampled names with their marks, and the file that holds them."""

from collections.abc import Sequence
from pathlib import Path

from mmjax.generate.sample import Sample
from mmjax.io.text import shown
from mmjax.runs.layout import SAMPLES
from mmjax.runs.reading import lines


def mark(sample: Sample, known: frozenset[str]) -> str:
    """Return the mark of a sampled name.

    It says whether the name is new or in the list, and whether it was cut at the maximum length.
    """
    return ("in the list" if sample.name in known else "new") + ", cut" * (not sample.ended)


def marked(samples: Sequence[Sample], known: frozenset[str]) -> list[tuple[str, str]]:
    """Return each sampled name with its mark."""
    return [(sample.name, mark(sample, known)) for sample in samples]


def sample_lines(marked: Sequence[tuple[str, str]]) -> list[str]:
    """Return a line for each sample: name, tab, mark."""
    return [f"{shown(name)}\t{mark}" for name, mark in marked]


def read_samples(path: Path) -> list[tuple[str, str]]:
    """Return a run's samples, each with its mark.

    Raises `InputError` if they cannot be read.
    """
    halves = [line.partition("\t") for line in lines(path / SAMPLES)]
    return [(shown(name), shown(mark)) for name, _, mark in halves]
