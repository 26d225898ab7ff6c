"""Which examples each step is trained on, as a function of the run's key and the step's number."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Integer, PRNGKeyArray

from mmjax import corpus
from mmjax.contexts import Contexts

Data = Integer[Array, "tokens"] | Integer[np.ndarray, "tokens"] | Contexts
Targets = Integer[Array, "batch"] | Float[Array, "batch vocab"]  # tokens, or distributions of them
Drawn = Int[Array, "batch"] | Integer[Array, "batch block_size_and_1"]
TOGETHER = 1_000  # steps whose batches are drawn at once, at most
DRAWN = 2**24  # tokens that are drawn at once, at most


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
