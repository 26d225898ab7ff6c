"""Lists of names, read, split and encoded as flat token arrays.

The names emma and olivia become `. e m m a . o l i v i a .`. Example i predicts token i + 1 from
the `block_size` tokens that end with token i; tokens before the last boundary are blank. So N names
with L letters in total give N + L examples for any `block_size`. Each takes one byte, or two if the
list has more than 255 distinct characters. A bigram has `block_size` 1.
"""

import random
from array import array
from collections.abc import Iterable, Sequence, Set
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Integer

from mmjax.data import encoded, name_file
from mmjax.data import vocab as vocabulary
from mmjax.data.encoded import Encoded
from mmjax.data.name_file import Note
from mmjax.data.vocab import BOUNDARY, Vocab
from mmjax.errors import require
from mmjax.io import files, memory

MEMORY = 30  # bytes of memory per byte of the list, at most; names of three letters take the most
PIECE = 2**17  # names encoded at once; bounds the memory
PACKAGE = Path(__file__).parents[1]
SHIPPED = (PACKAGE / "lists/names.txt", PACKAGE.parent / "data/names.txt")  # a wheel, a repository


class Splits(NamedTuple):
    """The names for training, validation and test."""

    train: list[str]
    val: list[str]
    test: list[str]


def shipped_list() -> Path:
    """Return the path of the list of names that comes with the library."""
    return next((path for path in SHIPPED if path.exists()), SHIPPED[-1])


def read_names(
    path: str | Path,
    *,
    unique: bool = False,
    column: str | None = None,
    header: bool = False,
    lower: bool = False,
    note: Note = name_file.no_note,
) -> list[str]:
    """Return the names in a UTF-8 text file.

    The file has one name per line. A byte order mark, blank lines and white space around a name are
    dropped. LF, CRLF and CR end a line. Names are changed to Unicode's normal form NFC.

    With `column`, the file is CSV, TSV or JSON. `column` is a name in the first line, a key of
    JSON's objects, or a number from 1; "0" stands for whole lines. With `header`, the first line is
    not a name. With `lower`, all names are made lower case. With `unique`, a repeated name is
    returned once. The folder of an encoded list (see `encoding`) is read, too: its training names,
    then those of validation and test. `note` gets one line about each thing that a user may want to know: names that
    were changed to NFC, a first line that looks like a header, mixed case, lines without a name.

    Raises `InputError` if `files.read` does; if the file is not UTF-8 text or has a NUL character
    (the message names line and byte); if it looks like CSV, TSV or JSON, and no `column` is given;
    if it has no such column; or if it holds no name.
    """
    if encoded.is_encoded(path):
        require(
            column is None and not header,
            f"{path}: is an encoded list, which has names alone; leave out --column and --header",
        )
        names = [name for part in decoded(encoded.load(path)).values() for name in part]
        name_file.tidy(path, names, lower=lower, note=note)
        return list(dict.fromkeys(names)) if unique else names
    data = files.read(
        path,
        "give a text file with one name per line, or a folder that mmjax encode has finished",
        weight=MEMORY,
    )
    text = name_file.text_of(path, data)
    del data
    if column is None or column == name_file.LINES:
        names = name_file.lines_of(text)
        if column is None:
            name_file.require_plain(path, text, names)
        names = names[1:] if header else names
    else:
        names = name_file.column_of(path, text, column, header=header, note=note)
    del text
    require(bool(names), f"{path}: holds no names; put one name on each line")
    if not header:
        name_file.note_header(path, names, note)
    name_file.tidy(path, names, lower=lower, note=note)
    return list(dict.fromkeys(names)) if unique else names


def split(names: Sequence[str], *, seed: int = 42, shuffles: int = 2) -> Splits:
    """Shuffle a copy of `names` and cut it 80 : 10 : 10.

    Every shuffle starts anew from `random.Random(seed)`. Seed 42 with 2 shuffles gives the split
    that this library follows (see docs/REPRODUCTION.md); seed 42 with 1 shuffle gives the split of
    the lecture's later parts. Python's generator is used because the lecture uses it; its shuffle
    is the same on every platform.

    Raises `InputError` if `shuffles` is negative or there are fewer than 6 names.
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
    """Return the place in the list of each shuffled name.

    All shuffles have the same seed, so one permutation is applied `shuffles` times.
    """
    places = array("i", range(length))
    random.Random(seed).shuffle(places)
    shuffled, order = np.array(places), np.arange(length, dtype=np.int32)
    for _ in range(shuffles):
        order = order[shuffled]
    return order


def unseen(names: Iterable[str], known: Set[str]) -> list[str]:
    """Return the `names` that are not in `known`, in order."""
    return [name for name in names if name not in known]


def encode(vocab: Vocab, names: Sequence[str]) -> np.ndarray:
    """Return the names as one flat array of tokens.

    The array [examples + 1] of `vocab.dtype` holds a boundary, then each name followed by a
    boundary. Raises `InputError` if a name has a character that is not in `vocab`.
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
    """Return the names in flat `tokens`, the inverse of `encode`."""
    text = vocabulary.decode(vocab, tokens[tokens != BOUNDARY])
    lengths = np.diff(np.flatnonzero(tokens == BOUNDARY)) - 1
    ends = np.cumsum(lengths)
    return [text[start:end] for start, end in zip(ends - lengths, ends, strict=True)]


def token_strings(tokens: Integer[np.ndarray, "tokens"]) -> list[str]:
    """Return the names in flat `tokens` as strings whose code points are their tokens.

    It is faster than `decode`, for comparing names.
    """
    text = tokens[1:].astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
    return text.split(chr(BOUNDARY))[:-1]


def decoded(found: Encoded) -> dict[str, list[str]]:
    """Return the names of each part of an encoded list.

    Raises `InputError` if they are too many for the memory.
    """
    needed = MEMORY * sum(map(len, found.tokens.values()))
    memory.require_room(needed, "the names of the encoded list", "give less")
    return {part: decode(found.vocab, np.array(flat)) for part, flat in found.tokens.items()}


def letters_before(tokens: Integer[np.ndarray, "tokens"]) -> Int[np.ndarray, "examples"]:
    """Return the number of letters of its name before each example."""
    index = np.arange(len(tokens) - 1)
    return index - np.maximum.accumulate(np.where(tokens[:-1] == BOUNDARY, index, 0))


def windows(
    tokens: Integer[Array, "tokens"], index: Integer[Array, "batch"], block_size: int
) -> tuple[Integer[Array, "batch block_size"], Integer[Array, "batch"]]:
    """Return the examples at `index` as (contexts, targets).

    Index 0 is the first example, `len(tokens) - 2` the last.
    """
    return examples(cut(tokens, index, block_size))


def cut(
    tokens: Integer[Array, "tokens"], index: Integer[Array, "batch"], block_size: int
) -> Integer[Array, "batch block_size_and_1"]:
    """Return the `block_size` tokens up to each index, and the next one.

    The tokens may belong to several names; `examples` blanks those of earlier names.
    """
    back = jnp.arange(block_size - 1, -2, -1)[None, :]
    return tokens[jnp.maximum(index[:, None] - back, 0)]


def examples(
    cuts: Integer[Array, "batch block_size_and_1"],
) -> tuple[Integer[Array, "batch block_size"], Integer[Array, "batch"]]:
    """Return the windows of `cut` as (contexts, targets)."""
    contexts, targets = cuts[:, :-1], cuts[:, -1]
    # Seen from the newest token backwards, everything from the first boundary on is blank.
    in_name = jnp.cumprod((contexts != BOUNDARY)[:, ::-1], axis=1)[:, ::-1]
    return jnp.where(in_name, contexts, jnp.zeros_like(contexts)), targets
