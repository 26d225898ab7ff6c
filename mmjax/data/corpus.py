"""Lists of names: read, split and encoded as one flat array of tokens.

The names emma and olivia become `. e m m a . o l i v i a .`, and example i is: predict token i + 1
from the `block_size` tokens up to token i, those before the last boundary blanked. So N names of L
letters in all are N + L examples, one byte each, for any `block_size`; a bigram is `block_size` 1.
"""

import random
from array import array
from collections.abc import Iterable, Sequence, Set
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Integer

from mmjax.data import vocab as vocabulary
from mmjax.data.vocab import BOUNDARY, Vocab
from mmjax.errors import InputError, require
from mmjax.io import files

MEMORY = 30  # bytes that a byte of the list takes, at most: names of three letters are the worst
PIECE = 2**17  # names encoded at once, which bounds the memory


class Splits(NamedTuple):
    """The names to learn from, to choose by, and to report on."""

    train: list[str]
    val: list[str]
    test: list[str]


def read_names(path: str | Path, *, unique: bool = False) -> list[str]:
    """Return the names in a UTF-8 text file, one per line; with `unique` each name once.

    A byte order mark, CRLF line ends, blank lines and white space around a name are dropped.
    Raises `InputError` if the file cannot be read as `files.read` says, is not UTF-8 text (naming line and byte) or
    holds no name.
    """
    data = files.read(path, "give a text file with one name a line", weight=MEMORY)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The codec counts from after the byte order mark, if there is one.
        at = len(data) - len(error.object) + error.start
        raise InputError(f"{path}: {_place(data, at)} is not UTF-8; save it as UTF-8") from None
    if "\0" in text:
        place = _place(data, data.index(b"\0"))
        raise InputError(f"{path}: {place} cannot stand in a text; is this a binary file?")
    names = [name for line in text.split("\n") if (name := line.strip())]
    require(bool(names), f"{path}: holds no names; put one name on each line")
    return list(dict.fromkeys(names)) if unique else names


def _place(data: bytes, at: int) -> str:
    line = data.count(b"\n", 0, at) + 1
    byte = at - data.rfind(b"\n", 0, at)
    return f"line {line}, byte {byte} (0x{data[at]:02x})"


def split(names: Sequence[str], *, seed: int = 42, shuffles: int = 2) -> Splits:
    """Shuffle a copy of `names` and cut it 80 : 10 : 10.

    Every shuffle starts from `random.Random(seed)` afresh. 42 and 2 give the split of docs/REPRODUCTION.md
    that this library follows, 42 and 1 that of the lecture's later parts. Python's generator is
    used because its streams are the same on every version and platform.

    Raises `InputError` if a part would be empty (fewer than 6 names).
    """
    require(shuffles >= 0, f"shuffles must be 0 or more, not {shuffles}")
    order = _order(len(names), seed, shuffles)
    first, second = int(0.8 * len(names)), int(0.9 * len(names))
    parts = (order[:first], order[first:second], order[second:])
    splits = Splits(*([names[i] for i in part.data] for part in parts))
    require(
        all(splits),
        f"a list of {len(names)} name{'s' * (len(names) != 1)} is too short to be split into "
        "training, validation and test names (80 : 10 : 10); give at least 6",
    )
    return splits


def _order(length: int, seed: int, shuffles: int) -> np.ndarray:
    """Where the names come from: the same shuffle again and again is one permutation again and again."""
    places = array("i", range(length))
    random.Random(seed).shuffle(places)
    shuffled, order = np.array(places), np.arange(length, dtype=np.int32)
    for _ in range(shuffles):
        order = order[shuffled]
    return order


def unseen(names: Iterable[str], known: Set[str]) -> list[str]:
    """Those of `names` that are not known, in order."""
    return [name for name in names if name not in known]


def encode(vocab: Vocab, names: Sequence[str]) -> np.ndarray:
    """One flat array of tokens [examples + 1] of `vocab.dtype`: a boundary, then every name and its boundary.

    Raises `InputError` if a name has a character that the vocabulary lacks.
    """
    apart = next(c for c in map(chr, range(vocab.size)) if c not in vocab.characters)
    pieces = [vocabulary.encode(vocab, apart, boundary=apart)]
    for start in range(0, len(names), PIECE):
        piece = [*names[start : start + PIECE], ""]
        tokens = vocabulary.encode(vocab, apart.join(piece), boundary=apart)
        if np.count_nonzero(tokens == BOUNDARY) != len(piece) - 1:
            vocabulary.encode(vocab, next(name for name in piece if apart in name))  # raises
        pieces.append(tokens)
    return np.concatenate(pieces)


def decode(vocab: Vocab, tokens: np.ndarray) -> list[str]:
    """The names in a flat array of tokens. The inverse of `encode`."""
    text = vocabulary.decode(vocab, tokens[tokens != BOUNDARY])
    lengths = np.diff(np.flatnonzero(tokens == BOUNDARY)) - 1
    ends = np.cumsum(lengths)
    return [text[start:end] for start, end in zip(ends - lengths, ends, strict=True)]


def windows(
    tokens: Integer[Array, "tokens"], index: Integer[Array, "batch"], block_size: int
) -> tuple[Integer[Array, "batch block_size"], Integer[Array, "batch"]]:
    """The examples at `index` as (contexts, targets); index 0 is the first, `len(tokens) - 2` the last."""
    return examples(cut(tokens, index, block_size))


def cut(
    tokens: Integer[Array, "tokens"], index: Integer[Array, "batch"], block_size: int
) -> Integer[Array, "batch block_size_and_1"]:
    """Return the `block_size` tokens up to each index and the one after it, across names."""
    back = jnp.arange(block_size - 1, -2, -1)[None, :]
    return tokens[jnp.maximum(index[:, None] - back, 0)]


def examples(
    cuts: Integer[Array, "batch block_size_and_1"],
) -> tuple[Integer[Array, "batch block_size"], Integer[Array, "batch"]]:
    """What has been cut out, as (contexts, targets)."""
    contexts, targets = cuts[:, :-1], cuts[:, -1]
    # Going back from the newest token, everything from the first boundary on is blank.
    in_name = jnp.cumprod((contexts != BOUNDARY)[:, ::-1], axis=1)[:, ::-1]
    return jnp.where(in_name, contexts, jnp.zeros_like(contexts)), targets
