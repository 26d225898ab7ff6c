"""A model with a short context as a table: the logits of every context there is, computed once.

The document's network sees 3 of 27 tokens, so all that it can say are 27**3 = 19,683 rows of logits. Drawing names from the
table is drawing them from the network, without its arithmetic.
"""

import sys
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Integer, PRNGKeyArray

from mmjax.errors import require, require_ranges
from mmjax.model import Config as ModelConfig
from mmjax.model import Predictor

MAX_CONTEXTS = 2**16
MAX_LOGITS = 2**24  # 64 MiB in float32


@jax.tree_util.register_static
@dataclass(frozen=True)
class Config:
    """Sizes of the table."""

    vocab_size: int = 27
    """Number of tokens, the boundary included."""
    block_size: int = 3
    """Tokens in a context."""

    def __post_init__(self):
        """Raise `InputError` if a size is out of range or the table is too large."""
        require_ranges(self, vocab_size=(2, 65_536), block_size=(1, 1_000))
        require(fits(self), f"a table of all {size(self):,} contexts is too large")


class Params(NamedTuple):
    """A row of logits for each context, in the order of `index`."""

    logits: Float[Array, "contexts vocab"]


def size(config: ModelConfig) -> int:
    """How many contexts there are: vocab_size ** block_size."""
    return config.vocab_size**config.block_size


def fits(config: ModelConfig) -> bool:
    """Whether a model's table has at most `MAX_CONTEXTS` rows and `MAX_LOGITS` numbers."""
    return size(config) <= MAX_CONTEXTS and size(config) * config.vocab_size <= MAX_LOGITS


def index(config: ModelConfig, contexts: Integer[Array, "batch block_size"]) -> Int[Array, "batch"]:
    """The row of each context, which is read as a number with vocab_size as its base."""
    places = config.vocab_size ** jnp.arange(config.block_size - 1, -1, -1)
    return contexts.astype(jnp.int32) @ places


def init(config: Config, key: PRNGKeyArray) -> tuple[Params, tuple[()]]:
    """A table in which every token is as likely as any other."""
    del key
    return Params(jnp.zeros((size(config), config.vocab_size))), ()


def apply(
    config: Config,
    params: Params,
    stats: tuple[()],
    contexts: Integer[Array, "batch block_size"],
    *,
    train: bool,
) -> tuple[Float[Array, "batch vocab"], tuple[()]]:
    """(logits of the next token, stats unchanged): the contexts' rows."""
    del train
    return params.logits[index(config, contexts)], stats


def for_many(predictor: Predictor, examples: int) -> Predictor:
    """The predictor for so many examples: as a table where that is less work, otherwise as it is."""
    worthwhile = fits(predictor.config) and size(predictor.config) < examples
    return tabulate(predictor) if worthwhile else predictor


@jax.jit
def tabulate(predictor: Predictor) -> Predictor:
    """The same predictor as a table. Raises `InputError` if `fits` says that it is too large."""
    config = Config(predictor.config.vocab_size, predictor.config.block_size)
    digits = jnp.unravel_index(jnp.arange(size(config)), (config.vocab_size,) * config.block_size)
    logits = predictor.logits(jnp.stack(digits, axis=1))
    model: Any = sys.modules[__name__]
    return Predictor(model, config, Params(logits), ())
