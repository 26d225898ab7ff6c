"""The examples of a list: each token with its context."""

import weakref
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Integer, PRNGKeyArray

from mmjax.data import corpus
from mmjax.data.dataset import Batch
from mmjax.errors import require
from mmjax.model import Model


@partial(jax.tree_util.register_dataclass, data_fields=["tokens"], meta_fields=["block_size"])
@dataclass(frozen=True)
class Windows:
    """The examples of a flat array of tokens, drawn with replacement."""

    tokens: Any
    """Tokens [tokens], as `corpus.encode` returns them."""
    block_size: int
    """Tokens in a context."""

    def draw(self, key: PRNGKeyArray, batch_size: int) -> Integer[Array, "batch block_size_and_1"]:
        """Return the windows of `batch_size` random examples."""
        index = jax.random.randint(key, (batch_size,), 0, len(self.tokens) - 1)
        return corpus.cut(jnp.asarray(self.tokens), index, self.block_size)

    def batch(self, drawn: Integer[Array, "batch block_size_and_1"]) -> Batch:
        """Return the windows as contexts and next tokens."""
        return Batch(*corpus.examples(drawn))

    def require_fit(self, model: Model) -> None:
        """Raise `InputError` if the tokens do not fit `model`.

        There must be at least one example, and `model` must know all tokens. Under `jit` or `vmap`
        only the number of tokens is checked.
        """
        tokens = self.tokens
        require(
            len(tokens) > 1,
            f"an array of {len(tokens)} tokens holds no example; encode at least one name",
        )
        if not isinstance(tokens, Tracer):
            require_known(_largest(tokens), model)


def require_known(largest: int, model: Model) -> None:
    """Raise `InputError` unless `model` knows the token `largest`."""
    require(
        largest < model.vocab_size,
        f"the data has the token {largest}, but the model's tokens end at "
        f"{model.vocab_size - 1}; make the model with vocab_size={largest + 1} or more",
    )


_LARGEST: dict[int, tuple["weakref.ref[Any]", int]] = {}


def _largest(tokens: Any) -> int:
    """Return the largest token.

    The result for a `jax.Array` is cached, because the array cannot change.
    """
    if not isinstance(tokens, jax.Array):
        return int(np.max(tokens))
    kept = _LARGEST.get(id(tokens))
    if kept is None or kept[0]() is not tokens:
        _LARGEST[id(tokens)] = kept = (weakref.ref(tokens), int(jnp.max(tokens)))
        weakref.finalize(tokens, _LARGEST.pop, id(tokens), None)
    return kept[1]
