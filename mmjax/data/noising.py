"""Noised contexts: letters of a context replaced by random ones, as smoothing.

A model that is trained on noised contexts learns to rely less on letters that are often replaced.
For counts, this mixes the distribution after the whole context with those after fewer of its letters,
as interpolated smoothing does. Source: Xie et al., Data
Noising as Smoothing in Neural Network Language Models (https://arxiv.org/abs/1703.02573), unigram
noising, here with a rate for each place of the context.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer, PRNGKeyArray

from mmjax import keys
from mmjax.data.dataset import Batch, Dataset, draw_ahead
from mmjax.data.on_disk import Tokens, stays
from mmjax.data.vocab import BOUNDARY
from mmjax.errors import require
from mmjax.model import Model


class Drawn(NamedTuple):
    """What a step draws: examples, and the letters to put into their contexts."""

    examples: Any
    letters: Integer[Array, "batch block_size"]
    """The new letters; a boundary where the old one stays."""


@partial(jax.tree_util.register_dataclass, data_fields=["data", "rates", "ends"], meta_fields=[])
@dataclass(frozen=True)
class Noised:
    """A dataset whose contexts have random letters in them; `noised` makes one.

    The targets are unchanged. Boundary tokens before a name are not replaced. With
    rates of 0, the batches are bitwise those of `data`.
    """

    data: Dataset
    """The dataset without noise."""
    rates: Float[Array, "block_size"]
    """Probability that a letter is replaced, for each place of the context, oldest first."""
    ends: Float[Array, "vocab"]
    """Cumulative probabilities of the new letters."""

    def draw(self, key: PRNGKeyArray, batch_size: int) -> Drawn:
        """Return what `data` draws with this key, and new letters."""
        return self._drawn(self.data.draw(key, batch_size), key, batch_size)

    def draw_ahead(self, key: PRNGKeyArray, later: PRNGKeyArray, batch_size: int) -> Drawn:
        """Return what `draw` does, and let `data` prepare a later draw."""
        examples = draw_ahead(self.data, key, later, batch_size)
        return self._drawn(examples, key, batch_size)

    def _drawn(self, examples: Any, key: PRNGKeyArray, batch_size: int) -> Drawn:
        which, where = jax.random.split(jax.random.fold_in(key, keys.NOISE))
        shape = (batch_size, len(self.rates))
        dtype = self.rates.dtype
        replaced = jax.random.uniform(where, shape, dtype) < self.rates[None, :]
        new = jnp.searchsorted(self.ends, jax.random.uniform(which, shape, dtype), side="right")
        letters = jnp.where(replaced, new, BOUNDARY).astype(jnp.uint16)
        return Drawn(examples, letters)

    def batch(self, drawn: Drawn) -> Batch:
        """Return the examples with the new letters in their contexts."""
        batch = self.data.batch(drawn.examples)
        replaced = (drawn.letters != BOUNDARY) & (batch.contexts != BOUNDARY)
        new = drawn.letters.astype(batch.contexts.dtype)
        return batch._replace(contexts=jnp.where(replaced, new, batch.contexts))

    def require_fit(self, model: Model) -> None:
        """Raise `InputError` unless rates, letters and the dataset fit the model."""
        inner = getattr(self.data, "require_fit", None)
        if inner:
            inner(model)
        sizes = (len(self.rates), len(self.ends))
        require(
            sizes == (model.block_size, model.vocab_size),
            f"the noise has rates for {sizes[0]} places and shares of {sizes[1]} tokens, but the "
            f"model has a block_size of {model.block_size} and a vocab_size of {model.vocab_size}; "
            "noise the data with the model's sizes",
        )
        drawn = jax.eval_shape(
            lambda key: self.data.batch(self.data.draw(key, 2)), jax.random.key(0)
        )
        require(
            len(drawn.contexts) == 2,
            "noise needs random examples, but the dataset takes all contexts in every step; noise "
            "windows or contexts",
        )


def noised(
    data: Dataset,
    tokens: Integer[np.ndarray, "tokens"],
    model: Model,
    rates: Sequence[float] | Float[np.ndarray, "block_size"],
) -> Noised:
    """Return the dataset with noise in its contexts.

    `rates` are the probabilities that a letter is replaced, for each place of the model's context,
    oldest first; see `falling`. A new letter is drawn by its frequency in `tokens`, a flat array,
    and may equal the old one. Raises `InputError` if a rate is not from 0 to 1, their number is not
    the model's block size, or `tokens` has no letter or one that the model does not know.
    """
    numbers = np.asarray(rates, np.float64)
    require(
        numbers.shape == (model.block_size,) and bool(((numbers >= 0) & (numbers <= 1)).all()),
        f"the rates of noise must be {model.block_size} numbers from 0 to 1, one for each character "
        "of the context",
    )
    if isinstance(tokens, np.memmap) and stays(tokens):
        counted = Tokens.of(tokens).counts(model.vocab_size)
    else:
        counted = np.bincount(np.asarray(tokens, np.int64), minlength=model.vocab_size)
    counted[BOUNDARY] = 0
    require(
        len(counted) == model.vocab_size and bool(counted.any()),
        f"the letters of the noise must be from 1 to {model.vocab_size - 1}; give tokens that hold "
        "at least one, and none that the model does not know",
    )
    dtype = jnp.result_type(float)
    ends = np.cumsum(counted) / counted.sum()
    made = Noised(data, jnp.asarray(numbers, dtype), jnp.asarray(ends, dtype))
    made.require_fit(model)
    return made


def falling(rate: float, block_size: int) -> Float[np.ndarray, "block_size"]:
    """Return rates that fall linearly from `rate` for the oldest character to 0 for the newest.

    The newest letter is never replaced, except if the context has one character: its rate is `rate`.
    """
    return np.linspace(rate, 0.0, block_size)
