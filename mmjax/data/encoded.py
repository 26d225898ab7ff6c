"""An encoded list on the disk, as `encoding.encode` writes it."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmjax.data.vocab import Vocab
from mmjax.errors import InputError, require
from mmjax.io import files

PARTS: tuple[str, ...] = ("train", "val", "test")
FORMAT = "mmjax list 1"
LIST = "list.json"


class Encoded(NamedTuple):
    """A list on the disk."""

    vocab: Vocab
    names: dict[str, int]
    """Number of names of each part."""
    tokens: dict[str, np.memmap]
    """Flat tokens of each part; `data.of("windows", tokens["train"], model)` is a dataset."""
    checksum: str
    """Of the vocabulary and the tokens."""


def is_encoded(path: str | Path) -> bool:
    """Return whether a path is a folder with an encoded list."""
    return (Path(path) / LIST).is_file()


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Raises `InputError` if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def checksum_of(about: Mapping[str, Any]) -> str:
    """Return the SHA-256 of an object for JSON."""
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def load(folder: str | Path) -> Encoded:
    """Return an encoded list; its tokens stay on the disk.

    Reads all files once, to check them. Raises `InputError` if the folder has no encoded list, or a
    file was changed.
    """
    folder = Path(folder)
    require(
        is_encoded(folder),
        f"{folder}: is not a folder that mmjax encode has finished; make one with mmjax encode LIST "
        f"{folder}",
    )
    again = "encode the list again, to another folder"
    try:
        about = dict(json.loads(files.read(folder / LIST, again)))
    except (ValueError, TypeError, RecursionError):
        raise InputError(f"{folder / LIST}: was changed; {again}") from None
    require(
        about.get("format") == FORMAT, f"{folder / LIST}: is of another version of mmjax; {again}"
    )
    require(
        about.pop("checksum", None) == checksum_of(about),
        f"{folder / LIST}: was changed; {again}",
    )
    vocabulary, sums = Vocab(about["characters"]), about["sha256"]
    tokens = {}
    for part in PARTS:
        path = folder / f"{part}.npy"
        require(path.is_file(), f"{path}: is missing; {again}")
        require(checksum(path) == sums[part], f"{path}: was changed; {again}")
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            start = file.tell()
        tokens[part] = np.memmap(path, dtype, "r", start, shape)
    same = checksum_of({"characters": vocabulary.characters, "sha256": sums})
    return Encoded(vocabulary, about["names"], tokens, same)
