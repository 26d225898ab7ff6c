"""Scores of single names: how probable a model finds each letter, and the whole name."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mmjax.data import corpus
from mmjax.data.vocab import Vocab
from mmjax.evaluate.paired import name_losses
from mmjax.evaluate.pieces import examples_of, pieces
from mmjax.model import Predictor
from mmjax.models import lookup


class Letter(NamedTuple):
    """One letter of a name, or its end, after the letters before it."""

    letter: str
    """The letter's label in the vocabulary; the end is the boundary."""
    probability: float
    surprise: float
    """-log(probability), in nats."""
    other: str
    """The label of the likeliest other token at this place."""
    other_probability: float


class Score(NamedTuple):
    """How probable a model finds a name."""

    name: str
    letters: list[Letter]
    """Every letter and the end; empty if a letter is unknown."""
    log_probability: float
    """Logarithm of the name's probability, with its end, in nats; -inf if a letter is unknown."""
    nats_per_character: float
    """-log_probability / (letters + 1), since the end counts as in `loss`; inf if one is unknown."""
    unknown: str | None
    """The first letter that is not in the vocabulary."""


def score(predictor: Predictor, vocab: Vocab, names: Sequence[str]) -> list[Score]:
    """Return the score of each name, letter by letter.

    For many names, `nats_per_name` is faster. A name with a letter that is not in `vocab` gets a
    score without letters. The sum of exp(log_probability) over all names is 1.
    """
    unknown = [unknown_letter(vocab, name) for name in names]
    known = [name for name, letter in zip(names, unknown, strict=True) if letter is None]
    tokens = corpus.encode(vocab, known)
    steps = _letters(predictor, vocab, tokens)
    scores = []
    for name, letter in zip(names, unknown, strict=True):
        letters = [] if letter else [next(steps) for _ in range(len(name) + 1)]
        total = math.inf if letter else math.fsum(each.surprise for each in letters)
        scores.append(Score(name, letters, -total, total / (len(name) + 1), letter))
    return scores


def unknown_letter(vocab: Vocab, name: str) -> str | None:
    """Return the first letter of a name that is not in the vocabulary, or None."""
    return next((letter for letter in name if letter not in vocab.characters), None)


def nats_per_name(
    predictor: Predictor, vocab: Vocab, names: Sequence[str]
) -> Float[np.ndarray, "names"]:
    """Return -log(probability) of each name with its end, in nats.

    It is infinite for a name with a letter that is not in `vocab`.
    """
    strange = {*"".join(names)}.difference(vocab.characters)
    if not strange:
        return name_losses(predictor, corpus.encode(vocab, names))
    known = np.array([strange.isdisjoint(name) for name in names])
    nats = np.full(len(names), math.inf)
    nats[known] = nats_per_name(
        predictor, vocab, [n for n, k in zip(names, known, strict=True) if k]
    )
    return nats


def per_character(
    nats: Float[np.ndarray, "names"], names: Sequence[str]
) -> Float[np.ndarray, "names"]:
    """Return nats per character from nats per name; the end of a name counts as a character."""
    return nats / (np.fromiter(map(len, names), np.int64, len(names)) + 1)


def percentile(
    found: Float[np.ndarray, "names"], listed: Float[np.ndarray, "listed"]
) -> Float[np.ndarray, "names"]:
    """Return the percentage of listed names that are less probable per character.

    `found` and `listed` are nats per character, `listed` in ascending order. A listed name counts
    if its nats per character are higher by more than a millionth, so equal names do not count,
    whatever their rounding. 100 is a name more typical than all listed names, 0 the opposite.
    """
    lower = np.searchsorted(listed, found + 1e-6, side="right")
    return 100 * (1 - lower / max(1, len(listed)))


def _letters(predictor: Predictor, vocab: Vocab, tokens: np.ndarray) -> Iterator[Letter]:
    """Yield a letter for each example of flat tokens."""
    labels, targets = vocab.labels, tokens[1:]
    predictor = lookup.for_many(predictor, len(targets))
    start = 0
    for piece, size in pieces(tokens, predictor.model):
        found = [np.asarray(part)[:size].tolist() for part in _piece_letters(predictor, piece)]
        here = targets[start : start + size].tolist()
        for target, own, other, rest in zip(here, *found, strict=True):
            yield Letter(labels[target], math.exp(own), -own, labels[other], math.exp(rest))
        start += size


@jax.jit
def _piece_letters(predictor: Predictor, piece: Array) -> tuple[Array, Array, Array]:
    """Return (log-probability of the target, likeliest other token, its log-probability)."""
    contexts, targets = examples_of(predictor, piece)
    log_probs = jax.nn.log_softmax(predictor.logits(contexts))
    places = jnp.arange(log_probs.shape[1], dtype=targets.dtype)
    is_target = places[None, :] == targets[:, None]
    own = jnp.max(log_probs, axis=1, where=is_target, initial=-jnp.inf)
    others = jnp.where(is_target, -jnp.inf, log_probs)
    return own, jnp.argmax(others, axis=1), jnp.max(others, axis=1)
