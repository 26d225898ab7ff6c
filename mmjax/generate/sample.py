"""Sampling: new names from any model."""

from collections.abc import Iterator
from functools import partial
from itertools import count, islice
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Integer, PRNGKeyArray, Real

from mmjax.data import corpus
from mmjax.data import vocab as vocabulary
from mmjax.data.vocab import BOUNDARY, Vocab
from mmjax.errors import require
from mmjax.generate.categorical import categorical
from mmjax.generate.filters import filter_logits
from mmjax.keys import NAMES
from mmjax.model import Predictor
from mmjax.models import lookup

# Names drawn together; fixed, so that the first names do not depend on how many follow.
BATCH = 1024
MAX_LENGTH = 64
T = TypeVar("T")
GREEDY = 1e-6  # a temperature below this takes the likeliest letter


class Sample(NamedTuple):
    """A name, and whether it ended by itself or was cut at the maximum length."""

    name: str
    ended: bool


@partial(jax.jit, static_argnames=("batch", "max_length", "top_k"))
def generate(
    predictor: Predictor,
    key: PRNGKeyArray,
    prefix: Integer[Array, "prefix"],
    *,
    batch: int = BATCH,
    max_length: int = MAX_LENGTH,
    temperature: Real[Array, ""] | float = 1.0,
    top_k: int | None = None,
    top_p: Real[Array, ""] | float | None = None,
) -> tuple[Int[Array, "batch max_length"], Bool[Array, "batch"]]:
    """Return (tokens, ended) of `batch` names that begin with `prefix`.

    A name that ended is padded with boundaries; one that did not was cut at `max_length` letters.
    Drawing stops as soon as every name has ended.
    """
    block_size = predictor.model.block_size
    # One more column than letters, for the end after the last letter.
    tokens = jnp.zeros((batch, block_size + max_length + 1), jnp.int32)
    tokens = tokens.at[:, block_size : block_size + len(prefix)].set(prefix.astype(jnp.int32))

    def unfinished(carry: tuple[Array, Array, Array]) -> Array:
        position, _, ended = carry
        return (position < tokens.shape[1]) & ~jnp.all(ended)

    def draw(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        position, tokens, ended = carry
        contexts = jax.lax.dynamic_slice_in_dim(tokens, position - block_size, block_size, 1)
        logits = filter_logits(
            predictor.logits(contexts), temperature=temperature, top_k=top_k, top_p=top_p
        )
        drawn = categorical(jax.random.fold_in(key, position), logits)
        drawn = jnp.where(ended, BOUNDARY, drawn)
        tokens = jax.lax.dynamic_update_slice_in_dim(tokens, drawn[:, None], position, 1)
        return position + 1, tokens, ended | (drawn == BOUNDARY)

    start = jnp.int32(block_size + len(prefix))
    _, tokens, ended = jax.lax.while_loop(unfinished, draw, (start, tokens, jnp.zeros(batch, bool)))
    return tokens[:, block_size:-1], ended


def stream(
    predictor: Predictor,
    vocab: Vocab,
    key: PRNGKeyArray,
    *,
    prefix: str = "",
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    max_length: int = MAX_LENGTH,
) -> Iterator[Sample]:
    """Return endless samples, the same for the same `key`.

    The key may be the one that the model was trained with: sampling uses random numbers of its own.

    `temperature` below 1 makes likely letters likelier, 0 always takes the likeliest (one of them
    at random if several tie), above 1 makes names stranger. Then `top_k` is applied, then `top_p`
    to the remaining tokens: see `filter_logits`. A name is cut at `max_length` characters; a cut
    name counts as a name, and its `Sample` has `ended` False.

    Raises `InputError` if the vocabulary has another size than the model, a number is out of range,
    or the prefix has an unknown character or is not shorter than `max_length`.
    """
    require(
        vocab.size == predictor.model.vocab_size,
        f"the vocabulary has {vocab.size:,} tokens with the boundary, but the model has "
        f"{predictor.model.vocab_size:,}; give the vocabulary that the model was trained with",
    )
    require(1 <= max_length <= 10_000, f"max_length must be from 1 to 10,000, not {max_length}")
    require(
        0 <= temperature <= 1e6,  # False for a NaN
        f"temperature must be a number from 0 to 1,000,000, not {temperature}",
    )
    require(top_k is None or top_k >= 1, f"top_k must be at least 1, not {top_k}")
    require(top_p is None or 0 < top_p <= 1, f"top_p must be above 0 and at most 1, not {top_p}")
    require(
        len(prefix) < max_length,
        f"the prefix has {len(prefix)} characters, but must be shorter than max_length, {max_length}; give a "
        "shorter prefix or a larger max_length",
    )
    start = vocabulary.encode(vocab, prefix)
    if lookup.fits(predictor.model):
        predictor = lookup.tabulate(predictor)
    if temperature < GREEDY:
        temperature, top_k = 1.0, 1
    draw = partial(
        generate,
        predictor,
        max_length=max_length,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
    )
    key = jax.random.fold_in(key, NAMES)
    drawn = (draw(jax.random.fold_in(key, batch), start) for batch in count())
    return (sample for batch in _ahead(drawn) for sample in _samples(vocab, *batch))


def _ahead(batches: Iterator[T]) -> Iterator[T]:
    """Yield the same batches, each requested one early.

    The device draws a batch while the host decodes the one before.
    """
    following = next(batches)
    for batch in batches:
        yield following
        following = batch


def names(
    predictor: Predictor, vocab: Vocab, key: PRNGKeyArray, n: int, **options: Any
) -> list[str]:
    """Return `n` names, cut ones included.

    It does not tell which names were cut; the samples of `stream` do. The options are those of
    `stream`. Raises `InputError` as `stream` does, and if `n` is negative.
    """
    require(n >= 0, f"the number of names must be 0 or more, not {n}")
    return [sample.name for sample in islice(stream(predictor, vocab, key, **options), n)]


def _samples(vocab: Vocab, tokens: Array, ended: Array) -> Iterator[Sample]:
    rows = np.pad(np.asarray(tokens), ((0, 0), (1, 0)))
    kept = rows != BOUNDARY
    kept[:, 0] = True  # keep the boundary before each name, drop the padding
    names = corpus.decode(vocab, np.append(rows[kept], BOUNDARY))
    return map(Sample, names, np.asarray(ended).tolist())
