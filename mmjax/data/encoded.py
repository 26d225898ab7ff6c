"""An encoded list on the disk, as `encoding.encode` writes it."""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

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
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load(folder: str | Path) -> Encoded:
    """Return an encoded list; its tokens stay on the disk.

    Reads all files once, to check them. Raises `InputError` if the folder has no encoded list, or a
    file was changed.
    """
    folder = Path(folder)
    written = files.read(folder / LIST, "encode a list with mmjax encode LIST OUT")
    try:
        about = json.loads(written)
        vocabulary, sums = Vocab(about["characters"]), about["sha256"]
        whole = about["format"] == FORMAT and set(sums) == set(about["names"]) == set(PARTS)
        require(whole, f"{folder / LIST}: is of another version of mmjax; encode the list again")
    except (ValueError, KeyError, TypeError, InputError) as error:
        raise InputError(f"{folder / LIST}: is damaged: {error}; encode the list again") from None
    tokens = {}
    for part in PARTS:
        path = folder / f"{part}.npy"
        require(
            path.exists() and checksum(path) == sums[part],
            f"{path}: is missing or was changed; encode the list again",
        )
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            start = file.tell()
        tokens[part] = np.memmap(path, dtype, "r", start, shape)
    same = hashlib.sha256(repr((vocabulary.characters, *map(sums.get, PARTS))).encode())
    return Encoded(vocabulary, about["names"], tokens, same.hexdigest())
