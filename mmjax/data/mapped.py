"""The examples of a list that stays on the disk: windows of memory-mapped tokens."""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Integer, PRNGKeyArray

from mmjax.data import corpus
from mmjax.data.dataset import Batch
from mmjax.data.windows import require_known
from mmjax.errors import require
from mmjax.model import Model

PIECE = 2**24  # tokens read at once


@partial(jax.tree_util.register_dataclass, data_fields=[], meta_fields=["tokens", "block_size"])
@dataclass(frozen=True)
class Mapped:
    """The examples of memory-mapped tokens, drawn with replacement.

    The batches are those of `Windows`, bitwise. Only they are read from the file, on the host, for
    up to 1,000 steps at once.
    """

    tokens: "Tokens"
    block_size: int
    """Tokens in a context."""

    def draw(self, key: PRNGKeyArray, batch_size: int) -> Integer[Array, "batch block_size_and_1"]:
        """Return the windows of `batch_size` random examples."""
        index = jax.random.randint(key, (batch_size,), 0, len(self.tokens) - 1)
        kind = jax.ShapeDtypeStruct((batch_size, self.block_size + 1), self.tokens.dtype)
        cut = partial(self.tokens.cut, block_size=self.block_size)
        return jax.pure_callback(cut, kind, index, vmap_method="broadcast_all")

    def batch(self, drawn: Integer[Array, "batch block_size_and_1"]) -> Batch:
        """Return the windows as contexts and next tokens."""
        return Batch(*corpus.examples(drawn))

    def require_fit(self, model: Model) -> None:
        """Raise `InputError` unless there is an example and `model` knows all tokens."""
        require(
            1 < len(self.tokens) < 2**31,
            f"a file of {len(self.tokens):,} tokens cannot be mapped; give 2 to {2**31 - 1:,}",
        )
        require_known(self.tokens.largest, model)


class Tokens:
    """Memory-mapped tokens as a constant of a compiled program."""

    def __init__(self, mapped: np.memmap) -> None:
        self._mapped = mapped
        self._largest: int | None = None

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
            self._largest = max(int(piece.max()) for piece in self._pieces())
        return self._largest

    def cut(
        self, index: Integer[Any, "*batch"], block_size: int
    ) -> Integer[np.ndarray, "*batch block_size_and_1"]:
        """Return what `corpus.cut` does."""
        back = np.arange(block_size - 1, -2, -1)
        found = self._mapped[np.maximum(np.asarray(index)[..., None] - back, 0)]
        self._forget()
        return np.asarray(found)

    def _pieces(self) -> Iterator[np.ndarray]:
        for start in range(0, len(self), PIECE):
            yield self._mapped[start : start + PIECE]
            self._forget()

    def _forget(self) -> None:
        """Let the system take back the memory of what was read; it stays in the system's cache."""
        file: Any = self._mapped._mmap  # pyright: ignore[reportAttributeAccessIssue]
        if hasattr(mmap, "MADV_DONTNEED"):
            file.madvise(mmap.MADV_DONTNEED)
