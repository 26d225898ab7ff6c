"""Lists larger than the memory: encoded once, piece by piece, to files that are memory-mapped.

The folder has train.npy, val.npy and test.npy, flat tokens as `corpus.encode` returns them, and
list.json with the vocabulary and the files' checksums.
"""

import json
import os
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmjax.data import corpus, name_file
from mmjax.data.encoded import FORMAT, LIST, PARTS, checksum, checksum_of
from mmjax.data.on_disk import LONGEST_FILE
from mmjax.data.vocab import BOUNDARY, Vocab
from mmjax.errors import InputError, require
from mmjax.io import files

PIECE = 2**22  # bytes of the list that are encoded at once
LONGEST = 2**20  # characters of a line, at most
LOOK = 1_000  # lines that may look like CSV or JSON
SHARES = (0.8, 0.9)  # ends of train and val
PROGRESS = "progress.json"
ANEW = "start again in another folder"

Step = Callable[[int], object]


class Piece(NamedTuple):
    """A piece of the list."""

    parts: dict[str, list[str]]
    end: int
    """Bytes of the list up to the end of the piece."""


def encode(
    path: Path,
    folder: Path,
    *,
    seed: int = 42,
    lines: bool = False,
    step: Step = lambda _: None,
) -> None:
    """Encode a list, which has one name per line, into a folder.

    Each name goes to train, val or test by chance, 80 : 10 : 10, as `seed` says. `step` gets the
    bytes read of each piece; the list is read twice. The memory does not grow with the list. A call
    that was interrupted continues where it stopped.

    Raises `InputError` if the list is not UTF-8 text, holds no name for a part or 2^31 characters
    for one, has a line of more than a million characters, or looks like CSV or JSON, unless `lines`
    says that each line is a name; if the list changes meanwhile; if the folder holds anything else;
    and if it cannot be written.
    """
    try:
        _encode(path, folder, seed, lines, step)
    except OSError as error:
        reason = f"{error.filename or folder}: {error.strerror}"
        raise InputError(f"{reason}; once that is fixed, the same command continues") from None


def _encode(path: Path, folder: Path, seed: int, lines: bool, step: Step) -> None:
    source = _source(path, seed)
    done = _progress(folder, source)
    if done is None:
        if not lines:
            _require_plain(path, seed)
        characters: set[str] = set()
        names, letters = dict.fromkeys(PARTS, 0), dict.fromkeys(PARTS, 0)
        before = 0
        for piece in pieces(path, seed):
            for part, some in piece.parts.items():
                characters.update(*some)
                names[part] += len(some)
                letters[part] += sum(map(len, some))
            step(piece.end - before)
            before = piece.end
        require(all(names.values()), f"{path}: too few names to be split; give at least 100")
        built = Vocab("".join(sorted(characters)))
        for part in PARTS:
            length = 1 + names[part] + letters[part]
            require(
                length < LONGEST_FILE,
                f"{path}: the part {part} would have {length:,} characters, with the ends of names; "
                f"give a list for which it has less than {LONGEST_FILE:,}",
            )
            _start(folder / f"{part}.npy", built.dtype, length)
        done = source | {"characters": built.characters, "names": names}
        done |= {"end": 0, "written": dict.fromkeys(PARTS, 1)}
        _save(folder / PROGRESS, done)
    letters_of = Vocab(done["characters"])
    for part in PARTS:
        _cut(folder / f"{part}.npy", letters_of.dtype, done["written"][part])
    before = done["end"]
    for piece in pieces(path, seed, before):
        for part, some in piece.parts.items():
            tokens = corpus.encode(letters_of, some)[1:]
            with (folder / f"{part}.npy").open("ab") as file:
                file.write(tokens.tobytes())
                file.flush()
                os.fsync(file.fileno())  # before the progress says that it is written
            done["written"][part] += len(tokens)
        done["end"] = piece.end
        _save(folder / PROGRESS, done)
        step(piece.end - before)
        before = piece.end
    require(_source(path, seed) == source, f"{path}: has changed; {ANEW}")
    sums = {part: checksum(folder / f"{part}.npy") for part in PARTS}
    about = {key: done[key] for key in (*source, "characters", "names")} | {"sha256": sums}
    _save(folder / LIST, about | {"checksum": checksum_of(about)})
    (folder / PROGRESS).unlink()


def _source(path: Path, seed: int) -> dict[str, Any]:
    """Return what must stay the same until the list is encoded."""
    about = path.stat()
    source = {"format": FORMAT, "seed": seed, "list": str(path.resolve())}
    return source | {"bytes": about.st_size, "modified": about.st_mtime_ns}


def pieces(path: Path, seed: int, start: int = 0) -> Iterator[Piece]:
    """Yield the list's pieces from the byte `start` on, where a piece must begin.

    A piece depends on its first byte alone, so a call that continues makes the same ones.
    """
    with path.open("rb") as file:
        while True:
            file.seek(start)
            block = file.read(PIECE)
            if not block:
                return
            last = max(block.rfind(b"\n"), block.rfind(b"\r"))
            whole = len(block) if len(block) < PIECE else last + 1
            require(whole > 0, _too_long(path, start))
            names = _names(path, block[:whole], start)
            yield Piece(_split(names, seed, start), start + whole)
            start += whole


def _too_long(path: Path, start: int) -> str:
    return (
        f"{path}: after byte {start:,}, a line is longer than {LONGEST:,} characters; put one name "
        "on each line"
    )


def _names(path: Path, data: bytes, start: int) -> list[str]:
    try:
        text = data.decode("utf-8-sig" if start == 0 else "utf-8")
    except UnicodeDecodeError as error:
        # The codec counts bytes from after the byte order mark, if the file has one.
        at = start + len(data) - len(error.object) + error.start
        raise InputError(f"{path}: byte {at:,} is not UTF-8; save it as UTF-8") from None
    require("\0" not in text, f"{path}: has a NUL character; is this a binary file?")
    text = unicodedata.normalize("NFC", text).replace("\r", "\n")
    names = [name for line in text.split("\n") if (name := line.strip())]
    require(max(map(len, names), default=0) <= LONGEST, _too_long(path, start))
    return names


def _require_plain(path: Path, seed: int) -> None:
    first = next(pieces(path, seed), Piece({part: [] for part in PARTS}, 0))
    some = [name for names in first.parts.values() for name in names][:LOOK]
    try:
        name_file.require_plain(path, "\n".join(some), some)
    except InputError as error:
        seen = str(error).partition("; ")[0]
        raise InputError(
            f"{seen}; write the names alone to a text file, one on each line, or give --lines if "
            "each line is a name"
        ) from None


def _split(names: list[str], seed: int, start: int) -> dict[str, list[str]]:
    drawn = np.random.default_rng((seed, start)).random(len(names))
    where = np.searchsorted(SHARES, drawn, side="right")
    parts: dict[str, list[str]] = {part: [] for part in PARTS}
    for name, i in zip(names, where.tolist(), strict=True):
        parts[PARTS[i]].append(name)
    return parts


def _start(path: Path, dtype: np.dtype, length: int) -> None:
    """Write the header of a NumPy file and the first token, a boundary."""
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header | {"shape": (length,)})
        file.write(np.array([BOUNDARY], dtype).tobytes())


def _cut(path: Path, dtype: np.dtype, tokens: int) -> None:
    """Drop what was written after the last recorded piece."""
    require(path.is_file(), f"{path}: is missing; {ANEW}")
    with path.open("r+b") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        size = file.tell() + tokens * dtype.itemsize
        require(path.stat().st_size >= size, f"{path}: was cut; {ANEW}")
        file.truncate(size)


def _save(path: Path, content: dict[str, Any]) -> None:
    files.write(path, json.dumps(content, indent=2) + "\n")


def _progress(folder: Path, source: dict[str, Any]) -> dict[str, Any] | None:
    """Return where an earlier call stopped, or None; make the folder."""
    require(not (folder / LIST).exists(), f"{folder}: holds an encoded list; give another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        done = json.loads((folder / PROGRESS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        require(not any(folder.iterdir()), f"{folder}: is not empty; give a new folder")
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: cannot be used: {error}; give another folder") from None
    whole = isinstance(done, dict) and {*done} == {*source, "characters", "names", "end", "written"}
    require(
        whole and isinstance(done["written"], dict) and {*done["written"]} == {*PARTS},
        f"{folder / PROGRESS}: was changed; {ANEW}",
    )
    require(
        all(done[key] == value for key, value in source.items()),
        f"{folder}: was begun with another list or seed, or the list has changed since; {ANEW}",
    )
    return done
