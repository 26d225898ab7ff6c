"""Sampling: new names from any model."""

from collections.abc import Iterator
from functools import partial
from itertools import count, islice
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Integer, PRNGKeyArray, Real

from mmjax import corpus, lookup
from mmjax import vocab as vocabulary
from mmjax.errors import require
from mmjax.model import Predictor
from mmjax.vocab import BOUNDARY, Vocab

# Names drawn together; fixed, so that the first names do not depend on how many follow.
BATCH = 1024
MAX_LENGTH = 64
T = TypeVar("T")
ROUNDING = 3e-6  # relative, of sums of probabilities
IN_BLOCKS = 1_000  # tokens from which on they are drawn by blocks
BLOCK = 64
GREEDY = 1e-6  # a temperature below this takes the likeliest letter


class Sample(NamedTuple):
    """A name, and whether it ended by itself or was cut at the greatest length."""

    name: str
    ended: bool


def filter_logits(
    logits: Float[Array, "batch vocab"],
    *,
    temperature: Real[Array, ""] | float = 1.0,
    top_k: int | None = None,
    top_p: Real[Array, ""] | float | None = None,
) -> Float[Array, "batch vocab"]:
    """Return the logits to draw from, -inf where a token is left out.

    They are divided by `temperature`. Then `top_k` keeps the k likeliest. Then `top_p`, of the
    probabilities of what is left, which sum to 1 again, keeps the smallest set of likeliest tokens that
    has at least that probability; a set that reaches it exactly, to rounding, is enough. What ties with
    the last token of either is kept too: of four equal ones, a `top_p` of 0.5 keeps all four. Computed
    in float32 at least.

    Nucleus sampling: Holtzman et al., The Curious Case of Neural Text Degeneration, section 3.1
    (https://arxiv.org/abs/1904.09751).
    """
    logits = logits.astype(np.promote_types(logits.dtype, np.float32))
    logits = logits / jnp.asarray(temperature, logits.dtype)
    if top_k is not None:
        kth = jax.lax.top_k(logits, min(top_k, logits.shape[-1]))[0][:, -1:]
        logits = jnp.where(logits >= kth, logits, -jnp.inf)
    if top_p is not None:
        likeliest_first = jnp.sort(logits, axis=-1, descending=True)
        probs = jax.nn.softmax(likeliest_first)
        # Each with all less likely ones, summed from those: a sum from the other end comes to 1 before
        # the unlikeliest, which a `top_p` of 1 has to keep.
        rest = jnp.cumsum(probs[:, ::-1], axis=-1)[:, ::-1]
        needed = rest > jnp.asarray(1 - top_p, logits.dtype) * (1 + ROUNDING)
        least = jnp.min(likeliest_first, axis=-1, keepdims=True, where=needed, initial=jnp.inf)
        logits = jnp.where(logits >= jnp.minimum(least, likeliest_first[:, :1]), logits, -jnp.inf)
    return logits


def categorical(key: PRNGKeyArray, logits: Float[Array, "batch vocab"]) -> Int[Array, "batch"]:
    """A token for each row, by the inverse of its cumulative distribution at one uniform number.

    `jax.random.categorical` adds noise to every logit, which takes a random number and two logarithms
    for each; this takes one a row. Probabilities below 1e-7 are as good as 0.
    """
    probs = jax.nn.softmax(logits)
    uniform = jax.random.uniform(key, (len(logits), 1), probs.dtype)
    if logits.shape[-1] < IN_BLOCKS:
        cumulative = _cumulative(probs)
        return _first_above(cumulative, uniform * jnp.max(cumulative, axis=-1, keepdims=True))
    # First a block of tokens and then one of it, since long rows of sums take time with their length.
    padded = jnp.pad(probs, ((0, 0), (0, -probs.shape[-1] % BLOCK)))
    blocks = padded.reshape(len(probs), -1, BLOCK)
    sums = jnp.sum(blocks, axis=-1)
    cumulative = _cumulative(sums)
    at = uniform * jnp.max(cumulative, axis=-1, keepdims=True)
    block = _first_above(cumulative, at)[:, None]
    before = jnp.take_along_axis(cumulative - sums, block, axis=1)
    within = _cumulative(jnp.take_along_axis(blocks, block[:, :, None], axis=1)[:, 0])
    # Rounding must not lead beyond the block's last possible token.
    most = jnp.max(within, axis=-1, keepdims=True) * jnp.asarray(1 - 1e-6, probs.dtype)
    return block[:, 0] * BLOCK + _first_above(within, jnp.minimum(at - before, most))


def _cumulative(probs: Float[Array, "batch tokens"]) -> Float[Array, "batch tokens"]:
    # As a product with a triangle of ones, which is faster than a scan along short rows.
    cumulative = probs @ jnp.triu(jnp.ones((probs.shape[-1],) * 2, probs.dtype))
    # Rounding must not let a token in that has no probability.
    return jnp.where(probs > 0, cumulative, jnp.zeros_like(cumulative))


def _first_above(
    cumulative: Float[Array, "batch tokens"], at: Float[Array, "batch 1"]
) -> Int[Array, "batch"]:
    tokens = jnp.arange(cumulative.shape[-1], dtype=jnp.int32)[None, :]
    return jnp.min(tokens, axis=-1, where=cumulative > at, initial=cumulative.shape[-1] - 1)


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
    """(tokens, ended) of `batch` names that begin with `prefix`.

    A name that ended is filled up with boundaries; one that did not was cut at `max_length` letters.
    The draws stop as soon as every name has ended.
    """
    block_size = predictor.model.block_size
    # One column more than letters, where the end after the last letter is drawn.
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
    """Return samples without end, the same for the same `key`.

    `temperature` below 1 makes likely letters likelier, 0 takes the likeliest each time (one of them
    at random if several tie), above 1 makes names stranger. Then come `top_k` and, on what that left,
    `top_p`: see `filter_logits`. A name is cut at `max_length` characters; it counts as a name, and its
    `Sample` has `ended` False.

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
        0 <= temperature <= 1e6,  # a NaN is not
        f"temperature must be a number from 0 to 1,000,000, not {temperature}",
    )
    require(top_k is None or top_k >= 1, f"top_k must be at least 1, not {top_k}")
    require(top_p is None or 0 < top_p <= 1, f"top_p must be above 0 and at most 1, not {top_p}")
    require(
        len(prefix) < max_length,
        f"the prefix has {len(prefix)} characters, which leaves none of max_length {max_length}",
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
    drawn = (draw(jax.random.fold_in(key, batch), start) for batch in count())
    return (sample for batch in _ahead(drawn) for sample in _samples(vocab, *batch))


def _ahead(batches: Iterator[T]) -> Iterator[T]:
    """The same, but each is asked for one early: the device draws while the host decodes."""
    following = next(batches)
    for batch in batches:
        yield following
        following = batch


def names(
    predictor: Predictor, vocab: Vocab, key: PRNGKeyArray, n: int, **options: Any
) -> list[str]:
    """Return `n` names, cut ones included.

    That one was cut is lost here; the samples of `stream` tell. The options, and what is raised, are
    those of `stream`.
    """
    require(n >= 0, f"the number of names must be 0 or more, not {n}")
    return [sample.name for sample in islice(stream(predictor, vocab, key, **options), n)]


def _samples(vocab: Vocab, tokens: Array, ended: Array) -> Iterator[Sample]:
    rows = np.pad(np.asarray(tokens), ((0, 0), (1, 0)))
    kept = rows != BOUNDARY
    kept[:, 0] = True  # the boundary before each name; those that fill it up go
    names = corpus.decode(vocab, np.append(rows[kept], BOUNDARY))
    return map(Sample, names, np.asarray(ended).tolist())
