"""Flat tokens in a file, read a piece at a time, so that few of them are in memory."""

import mmap
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any

import numpy as np
from jaxtyping import Bool, Int, Integer

from mmjax.data import corpus
from mmjax.data.vocab import BOUNDARY

LONGEST_FILE = 2**31  # tokens, which it must not reach; a place is a number of 32 bits
PIECE = 2**20  # tokens read at once
SPAN = 2**22  # tokens of the file of which windows are read at once
WORTH_A_THREAD = 2**11  # windows
FEWEST_AHEAD = 2  # calls whose windows are kept: the one that was read, and the next
AHEAD = 2**21  # bytes of indices whose windows are kept beyond that, for many members
BESIDE = 2**20  # bytes that the system may map beside those that are read
PLACES = 2**10  # of a sample


def stays(tokens: object) -> bool:
    """Return whether tokens are a file that is mapped for reading, not a copy or one to write to."""
    return (
        isinstance(tokens, np.memmap)
        and getattr(tokens, "_mmap", None) is not None
        and tokens.mode == "r"
    )


class Tokens:
    """Memory-mapped tokens.

    All that is returned is a copy, and the pages that were read are given back to the system, so a
    long file does not count as memory of the process. It can be a constant of a compiled program.
    """

    @classmethod
    def of(cls, mapped: np.memmap) -> "Tokens":
        """Return the tokens of an array, for one array always the same, so programs compile once."""
        known = vars(mapped)
        if "tokens" not in known:
            known["tokens"] = cls(mapped)
        return known["tokens"]

    def __init__(self, mapped: np.memmap) -> None:
        self._mapped = mapped
        self._largest: int | None = None
        self._pool = ThreadPoolExecutor(1)
        self._lock = Lock()
        self._ahead: dict[tuple[int, bytes], Future[np.ndarray]] = {}

    def __len__(self) -> int:
        return len(self._mapped)

    @property
    def dtype(self) -> np.dtype:
        """Type of a token."""
        return self._mapped.dtype

    @property
    def largest(self) -> int:
        """The largest token; the first use reads the file."""
        if self._largest is None:
            self._largest = max((int(piece.max()) for piece in self.pieces()), default=0)
        return self._largest

    def cut(
        self,
        block_size: int,
        index: Integer[Any, "*batch"],
        later: Integer[Any, "*batch"] | None = None,
    ) -> Integer[np.ndarray, "*batch block_size_and_1"]:
        """Return what `corpus.cut` does.

        Then read what the call for the indices `later` will return, in a thread of its own.
        """
        index = np.asarray(index)
        key = (block_size, index.tobytes())
        with self._lock:
            ahead = self._ahead.get(key)
        found = ahead.result() if ahead else self._cut(block_size, index)
        if later is not None and later.size >= WORTH_A_THREAD:
            self._read_ahead(block_size, np.asarray(later))
        return found

    def _read_ahead(self, block_size: int, index: np.ndarray) -> None:
        """Let the thread read windows, and drop the oldest ones that it has read.

        What was read stays for a while, since several devices ask for the same.
        """
        key = (block_size, index.tobytes())
        with self._lock:
            if key not in self._ahead:
                self._ahead[key] = self._pool.submit(self._cut, block_size, index)
            while len(self._ahead) > FEWEST_AHEAD and sum(len(k[1]) for k in self._ahead) > AHEAD:
                del self._ahead[next(iter(self._ahead))]

    def _cut(self, block_size: int, index: np.ndarray) -> np.ndarray:
        wanted, back = index.reshape(-1), np.arange(block_size - 1, -2, -1)
        found = np.empty((index.size, block_size + 1), self.dtype)
        # In the order of the file, because the system may map a megabyte for each first touch.
        order = np.argsort(wanted)
        ends = np.arange(SPAN, len(self), SPAN)
        for span, rows in enumerate(np.split(order, np.searchsorted(wanted[order], ends))):
            if len(rows):
                found[rows] = self._mapped[np.maximum(wanted[rows, None] - back, 0)]
                self._forget(span * SPAN - block_size, (span + 1) * SPAN)
        return found.reshape(*index.shape, block_size + 1)

    def pieces(self) -> Iterator[Integer[np.ndarray, "piece"]]:
        """Yield the tokens in pieces; each begins with the last token of the one before.

        So the pairs of the pieces are those of the tokens.
        """
        for start in range(0, len(self) - 1, PIECE):
            yield self.piece(start, start + PIECE + 1)

    def counts(self, size: int) -> Int[np.ndarray, "numbers"]:
        """Return how often each token occurs, of at least the tokens from 0 to before `size`."""
        size = max(size, self.largest + 1)
        found = np.bincount(self.piece(0, 1), minlength=size)
        for piece in self.pieces():
            found += np.bincount(piece[1:], minlength=size)
        return found

    def piece(self, start: int, end: int) -> Integer[np.ndarray, "piece"]:
        """Return the tokens from `start` to before `end`."""
        found = np.array(self._mapped[start:end])
        self._forget(start, end)
        return found

    def sample(self, most: int) -> Integer[np.ndarray, "sample"]:
        """Return flat tokens of whole names: all, or about `most` tokens of a longer file.

        A sample has names from `PLACES` places with equal distances, each name at most once and with
        the same chance, however long it is.
        """
        if len(self) <= most:
            return self.piece(0, len(self))
        found = [np.full(1, BOUNDARY, self.dtype)]
        places = np.linspace(0, len(self) - 1, PLACES, endpoint=False, dtype=np.int64).tolist()
        found += [self._names_from(start, most // PLACES) for start in places]
        return np.concatenate(found)

    def _names_from(self, start: int, length: int) -> Integer[np.ndarray, "names"]:
        """Return the names whose beginning is among `length` tokens, each with its end."""
        first = np.flatnonzero(self.piece(start, start + length) == BOUNDARY)
        if not len(first):
            return np.zeros(0, self.dtype)
        begin, end, more = start + int(first[0]) + 1, start + length, length
        while True:  # up to the end of the last name
            tail = np.flatnonzero(self.piece(end, end + more) == BOUNDARY)
            if len(tail) or end + more >= len(self):
                return self.piece(begin, end + int(tail[0]) + 1 if len(tail) else len(self))
            more *= 2

    def holds(self, names: Integer[np.ndarray, "tokens"]) -> Bool[np.ndarray, "names"]:
        """Return for each of the flat `names` whether it stands in the file, which is read once."""
        wanted = corpus.token_strings(names)
        missing = set(wanted)
        start = 0
        while missing and start < len(self) - 1:
            size = PIECE
            while True:
                piece = self.piece(start, start + size)
                end = len(piece) - 1 - int(np.argmax(piece[::-1] == BOUNDARY))
                if end or start + size >= len(self):
                    break
                size *= 2  # a name longer than a piece
            missing.difference_update(corpus.token_strings(piece[: end + 1]))
            start += end or len(piece)  # 0 if the file does not end with a boundary
        return np.array([name not in missing for name in wanted])

    def _forget(self, start: int, end: int) -> None:
        """Let the system take back the memory of these tokens; it keeps them in its cache.

        What the system mapped beside them goes, too, up to a megabyte on each side.
        """
        file: Any = self._mapped._mmap  # pyright: ignore[reportAttributeAccessIssue]
        if hasattr(mmap, "MADV_DONTNEED"):
            size = self.dtype.itemsize
            first = max(0, self._mapped.offset + start * size - BESIDE) // BESIDE * BESIDE
            last = min(self._mapped.offset + end * size + BESIDE, len(file))
            file.madvise(mmap.MADV_DONTNEED, first, last - first)
