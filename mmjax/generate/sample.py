"""Sampling: new names from any model."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import count, islice, repeat
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Integer, PRNGKeyArray, Real

from mmjax.data import corpus
from mmjax.data import vocab as vocabulary
from mmjax.data.vocab import BOUNDARY, Vocab
from mmjax.errors import require
from mmjax.generate import conditional, rejection
from mmjax.generate.categorical import categorical
from mmjax.generate.conditions import Conditions, automaton, span
from mmjax.generate.filters import GREEDY, filter_logits, options_of
from mmjax.keys import NAMES
from mmjax.model import Predictor
from mmjax.models import lookup

# Names drawn together; fixed, so that the first names do not depend on how many follow.
BATCH = 1024
MAX_LENGTH = 64
T = TypeVar("T")


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
    min_p: Real[Array, ""] | float | None = None,
    typical: Real[Array, ""] | float | None = None,
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
            predictor.logits(contexts),
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            typical=typical,
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
    min_p: float | None = None,
    typical: float | None = None,
    max_length: int = MAX_LENGTH,
    conditions: Conditions | None = None,
) -> Iterator[Sample]:
    """Return endless samples, the same for the same `key`.

    The key may be the one that the model was trained with: sampling uses random numbers of its own.

    `temperature` below 1 makes likely letters likelier, 0 always takes the likeliest (one of them
    at random if several tie) and repeats that name, above 1 makes names stranger. Then `top_k`,
    `top_p`, `min_p` and `typical` apply in this order: see `filter_logits`. A name is cut at
    `max_length` characters; a cut name counts as a name, and its `Sample` has `ended` False.

    With `conditions`, the names are those of the filtered model that meet them and end by
    themselves within `max_length` characters. If the model fits a table, the draws are exact (see
    `conditional`); else names are drawn until they meet the conditions, and the iterator raises
    `InputError` if too few do (see `rejection`). `prefix` replaces that of the conditions; it is
    never drawn, but given.

    Raises `InputError` if the vocabulary has another size than the model, a number is out of range,
    the prefix has an unknown character or is not shorter than `max_length`, or no name meets the
    conditions.
    """
    vocabulary.require_size(vocab, predictor.model.vocab_size)
    require(1 <= max_length <= 10_000, f"max_length must be from 1 to 10,000, not {max_length}")
    filters = options_of(temperature, top_k, top_p, min_p, typical)
    conditions = conditions or Conditions()
    prefix = prefix or conditions.prefix
    conditions = replace(conditions, prefix=prefix)
    require(
        len(prefix) < max_length,
        f"the prefix has {len(prefix)} characters, but must be shorter than max_length, {max_length}; give a "
        "shorter prefix or a larger max_length",
    )
    start = vocabulary.encode(vocab, prefix)
    is_table = lookup.fits(predictor.model)
    if is_table:
        predictor = lookup.tabulate(predictor)
    key = jax.random.fold_in(key, NAMES)
    keys = (jax.random.fold_in(key, batch) for batch in count())
    accepted = None
    if conditions != Conditions(prefix):
        accepted = automaton(conditions, vocab)
        _, max_length = span(conditions, accepted, start, max_length)
        plan = is_table and conditional.plan(predictor, accepted, start, max_length, filters)
        if plan:
            require(
                plan.probability > 0,
                f"no name of this model, with these filters, can {conditions}; loosen one",
            )
            exact = (conditional.draw(plan, each, BATCH) for each in keys)
            return (sample for batch in exact for sample in _samples(vocab, *batch))
    draw = partial(generate, predictor, max_length=max_length, **filters)
    if temperature < GREEDY:
        drawn = repeat(draw(next(keys), start, batch=1))
    else:
        drawn = _ahead(draw(each, start) for each in keys)
    batches = rejection.accepted(drawn, accepted, conditions) if accepted else drawn
    return (sample for batch in batches for sample in _samples(vocab, *batch))


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


def _samples(vocab: Vocab, tokens: Any, ended: Any) -> Iterator[Sample]:
    rows = np.pad(np.asarray(tokens), ((0, 0), (1, 0)))
    kept = rows != BOUNDARY
    kept[:, 0] = True  # keep the boundary before each name, drop the padding
    names = corpus.decode(vocab, np.append(rows[kept], BOUNDARY))
    return map(Sample, names, np.asarray(ended).tolist())
