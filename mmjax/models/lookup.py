"""A model with a short context as a table of logits, computed once.

The lecture's network sees 3 of 27 tokens, so 27**3 = 19,683 rows of logits hold everything it can
predict. Names drawn from the table equal those drawn from the network, without its arithmetic.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Integer, PRNGKeyArray

from mmjax.errors import require, require_ranges
from mmjax.model import Model, Predictor, Tap, no_tap

MAX_CONTEXTS = 2**16
MAX_LOGITS = 2**24  # 64 MiB in float32


class Params(NamedTuple):
    """A row of logits for each context, in the order of `index`."""

    logits: Float[Array, "contexts vocab"]


@jax.tree_util.register_static
@dataclass(frozen=True)
class Table:
    """A table of logits, one row for every context."""

    vocab_size: int = 27
    """Number of tokens, including the boundary."""
    block_size: int = 3
    """Tokens in a context."""

    def __post_init__(self):
        """Raise `InputError` if a size is out of range or the table is too large."""
        require_ranges(self, vocab_size=(2, 65_536), block_size=(1, 1_000))
        require(fits(self), f"a table of all {size(self):,} contexts is too large")

    def init(self, key: PRNGKeyArray) -> tuple[Params, tuple[()]]:
        """Return a table in which all tokens are equally likely."""
        del key
        return Params(jnp.zeros((size(self), self.vocab_size))), ()

    def apply(
        self,
        params: Params,
        stats: tuple[()],
        contexts: Integer[Array, "batch block_size"],
        *,
        train: bool,
        key: PRNGKeyArray | None = None,
        tap: Tap = no_tap,
    ) -> tuple[Float[Array, "batch vocab"], tuple[()]]:
        """Return (logits of the next token, unchanged stats).

        The logits are the table's rows for the contexts.
        """
        del train, key
        return tap("logits", params.logits[index(self, contexts)]), stats


def size(model: Model) -> int:
    """Return the number of possible contexts: vocab_size ** block_size."""
    return model.vocab_size**model.block_size


def fits(model: Model) -> bool:
    """Return whether a table of the model is small enough.

    It may have at most `MAX_CONTEXTS` rows and `MAX_LOGITS` numbers.
    """
    return size(model) <= MAX_CONTEXTS and size(model) * model.vocab_size <= MAX_LOGITS


def index(model: Model, contexts: Integer[Array, "batch block_size"]) -> Int[Array, "batch"]:
    """Return the row of each context: a number with base `vocab_size`."""
    places = model.vocab_size ** jnp.arange(model.block_size - 1, -1, -1)
    return contexts.astype(jnp.int32) @ places


def every_context(model: Model) -> Int[Array, "contexts block_size"]:
    """Return all possible contexts in the order of `index`."""
    digits = jnp.unravel_index(jnp.arange(size(model)), (model.vocab_size,) * model.block_size)
    return jnp.stack(digits, axis=1)


def for_many(predictor: Predictor, examples: int) -> Predictor:
    """Return the predictor as a table if that saves work.

    It does if the table fits and has fewer rows than `examples`; else the predictor is unchanged.
    """
    model = predictor.model
    worthwhile = not isinstance(model, Table) and fits(model) and size(model) < examples
    return tabulate(predictor) if worthwhile else predictor


@jax.jit
def tabulate(predictor: Predictor) -> Predictor:
    """Return the same predictor as a table.

    Raises `InputError` if `fits` is false.
    """
    model = Table(predictor.model.vocab_size, predictor.model.block_size)
    return Predictor(model, Params(predictor.logits(every_context(model))), ())
