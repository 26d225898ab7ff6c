"""The film: a network's embedding at several steps of its training, in one file."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from mmjax.errors import InputError, said
from mmjax.io import files
from mmjax.runs.layout import FILM

Stills = dict[int, np.ndarray]
"""Embeddings [vocab, dim] by the step after which they were taken."""


def is_due(step: int, chunk: int) -> bool:
    """Return whether the film has a still of this step.

    It has one of the start, and of 1, 2, 4, 8, ... chunks of steps: an embedding moves most at the
    start.
    """
    count, rest = divmod(step, chunk)
    return not rest and count & (count - 1) == 0


def write(path: Path, stills: Mapping[int, np.ndarray]) -> None:
    """Write the stills to a run folder.

    Raises `InputError` if the file cannot be written.
    """
    arrays = {str(step): np.ascontiguousarray(still) for step, still in stills.items()}
    files.write(path / FILM, save(arrays))


def read(path: Path, last: int) -> Stills:
    """Return the stills of a run folder up to the step `last`, in the order of their steps.

    There are none if the file is missing. Raises `InputError` if it is not a film.
    """
    path = path / FILM
    if not path.exists():
        return {}
    try:
        stills = {int(step): still for step, still in load(files.read(path, "")).items()}
        if any(still.ndim != 2 for still in stills.values()):
            raise ValueError("a still is not a matrix")
    except (SafetensorError, ValueError) as error:
        raise InputError(f"{path}: is not a film of an embedding: {said(error)}") from None
    return {step: stills[step] for step in sorted(stills) if step <= last}
