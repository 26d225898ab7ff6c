"""The examples of a list that stays on the disk: windows of memory-mapped tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Integer, PRNGKeyArray

from mmjax.data import corpus
from mmjax.data.dataset import Batch, together
from mmjax.data.on_disk import LONGEST_FILE, Tokens
from mmjax.data.windows import require_known
from mmjax.errors import require
from mmjax.model import Model

# Indices in one argument of a callback. JAX copies arguments of 100 KB or more in a thread of its
# CPU devices; if all of these threads are in callbacks, which wait for their arguments, none is left.
PART = 24_000


@partial(jax.tree_util.register_dataclass, data_fields=[], meta_fields=["tokens", "block_size"])
@dataclass(frozen=True)
class Mapped:
    """The examples of memory-mapped tokens, drawn with replacement.

    The batches are those of `Windows`, bitwise. Only they are read from the file, on the host, for
    up to 1,000 steps at once.
    """

    tokens: Tokens
    block_size: int
    """Tokens in a context."""

    def draw(self, key: PRNGKeyArray, batch_size: int) -> Integer[Array, "batch block_size_and_1"]:
        """Return the windows of `batch_size` random examples."""
        return self._read(batch_size, 1, self._index(key, batch_size))

    def draw_ahead(
        self, key: PRNGKeyArray, later: PRNGKeyArray, batch_size: int
    ) -> Integer[Array, "batch block_size_and_1"]:
        """Return what `draw` does, and read what it will return for the key `later`."""
        index = (self._index(each, batch_size) for each in (key, later))
        return self._read(batch_size, together(batch_size, self.block_size), *index)

    def _index(self, key: PRNGKeyArray, batch_size: int) -> Integer[Array, "batch"]:
        return jax.random.randint(key, (batch_size,), 0, len(self.tokens) - 1)

    def _read(self, batch_size: int, steps: int, *index: Array) -> Array:
        kind = jax.ShapeDtypeStruct((batch_size, self.block_size + 1), self.tokens.dtype)
        ends = [*range(PART // steps, batch_size, PART // steps)]
        parts = [jnp.split(each, ends) for each in index]
        return jax.pure_callback(self._cut, kind, *parts, vmap_method="broadcast_all")

    def _cut(self, *parts: Sequence[Array]) -> np.ndarray:
        index = (np.concatenate([*map(np.asarray, each)], axis=-1) for each in parts)
        return self.tokens.cut(self.block_size, *index)

    def batch(self, drawn: Integer[Array, "batch block_size_and_1"]) -> Batch:
        """Return the windows as contexts and next tokens."""
        return Batch(*corpus.examples(drawn))

    def require_fit(self, model: Model) -> None:
        """Raise `InputError` unless there is an example and `model` knows all tokens."""
        require(
            1 < len(self.tokens) < LONGEST_FILE,
            f"a file of {len(self.tokens):,} tokens cannot be mapped; give 2 to {LONGEST_FILE - 1:,}",
        )
        require_known(self.tokens.largest, model)
