"""Which examples each step is trained on, as a function of the run's key and the step's number."""

import weakref
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int, Integer, PRNGKeyArray

from mmjax import corpus
from mmjax.contexts import Contexts
from mmjax.errors import require
from mmjax.model import Model

Data = Integer[Array, "tokens"] | Integer[np.ndarray, "tokens"] | Contexts
Targets = Integer[Array, "batch"] | Float[Array, "batch vocab"]  # tokens, or distributions of them
Drawn = Int[Array, "batch"] | Integer[Array, "batch block_size_and_1"]
TOGETHER = 1_000  # steps whose batches are drawn at once, at most
DRAWN = 2**24  # tokens that are drawn at once, at most


def require_fit(data: Data, model: Model) -> None:
    """Raise `InputError` unless `data` has an example, and only tokens that `model` knows.

    Under `jit` or `vmap` only the shapes are looked at.
    """
    tokens = data.contexts if isinstance(data, Contexts) else data
    if isinstance(data, Contexts):
        block_size, vocab_size = data.contexts.shape[-1], data.following.shape[-1]
        require(
            (block_size, vocab_size) == (model.block_size, model.vocab_size),
            f"the contexts have {block_size} of {vocab_size} tokens, and the model sees "
            f"{model.block_size} of {model.vocab_size}; collect them with the model's sizes",
        )
    else:
        require(
            len(data) > 1,
            f"an array of {len(data)} tokens holds no example; encode at least one name",
        )
    if not isinstance(tokens, Tracer):
        largest = _largest(tokens)
        require(
            largest < model.vocab_size,
            f"the data has the token {largest}, and the model knows {model.vocab_size}, up to "
            f"{model.vocab_size - 1}; make it with vocab_size={largest + 1} or more",
        )


_LARGEST: dict[int, tuple["weakref.ref[Any]", int]] = {}


def _largest(tokens: Any) -> int:
    """Return the largest token of an array; of a `jax.Array`, which cannot change, it is kept."""
    if not isinstance(tokens, jax.Array):
        return int(np.max(tokens))
    kept = _LARGEST.get(id(tokens))
    if kept is None or kept[0]() is not tokens:
        _LARGEST[id(tokens)] = kept = (weakref.ref(tokens), int(jnp.max(tokens)))
        weakref.finalize(tokens, _LARGEST.pop, id(tokens), None)
    return kept[1]


def index(
    data: Data, batch_size: int, key: PRNGKeyArray, step: Int[Array, ""]
) -> Int[Array, "batch"]:
    """Which examples, or which rows of the contexts, step `step` is trained on; drawn with replacement."""
    key = jax.random.fold_in(key, step)
    if isinstance(data, Contexts):
        example = jax.random.randint(key, (batch_size,), 0, data.ends[-1])
        return jnp.searchsorted(data.ends, example, side="right")
    return jax.random.randint(key, (batch_size,), 0, len(data) - 1)


def draw(
    data: Data, batch_size: int, block_size: int, key: PRNGKeyArray, step: Int[Array, ""]
) -> Drawn:
    """What `examples` makes the batch from: the windows of the tokens, or which rows of the contexts.

    Few numbers, since they are drawn for many steps at once.
    """
    where = index(data, batch_size, key, step)
    if isinstance(data, Contexts):
        return where
    return corpus.cut(jnp.asarray(data), where, block_size)


def examples(data: Data, drawn: Drawn) -> tuple[Integer[Array, "batch block_size"], Targets]:
    """The batch, as (contexts, targets)."""
    if isinstance(data, Contexts):
        return data.contexts[drawn], data.following[drawn]
    return corpus.examples(drawn)


def together(batch_size: int, block_size: int) -> int:
    """How many steps' batches are drawn at once: an even number, since two steps are compiled as one."""
    return 2 * max(1, min(TOGETHER, DRAWN // (batch_size * (block_size + 1))) // 2)
