"""Counting: bigram tables, their probabilities and their entropy.

A count table is an array [vocab, vocab]: a row for each previous token and a column for each next
token.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Integer, Real

from mmjax.data import corpus
from mmjax.data.vocab import Vocab
from mmjax.errors import require

PIECE = 2**22  # tokens counted at once, and cells of a dense table; bounds the memory
MAX_VOCAB = 2**13  # rows of a count table; one of this size takes half a gigabyte
Table = Real[np.ndarray, "vocab vocab"]


def bigrams(
    tokens: Integer[np.ndarray, "tokens"], vocab_size: int
) -> Int[np.ndarray, "vocab vocab"]:
    """Return how often each token follows each token.

    `tokens` is a flat array. Raises `InputError` if the vocabulary has more than `MAX_VOCAB`
    tokens, because the table would take more than half a gigabyte.
    """
    require(
        vocab_size <= MAX_VOCAB,
        f"{vocab_size - 1:,} distinct characters are too many for a table of all their pairs, which "
        f"may have {MAX_VOCAB:,} rows; use a list with fewer different characters",
    )
    table = np.zeros(vocab_size**2, np.int64)
    for start in range(0, len(tokens) - 1, PIECE):
        piece = tokens[start : start + PIECE + 1].astype(np.int64)
        table += np.bincount(piece[:-1] * vocab_size + piece[1:], minlength=len(table))
    return table.reshape(vocab_size, vocab_size)


class Pairs(NamedTuple):
    """A count table without its zeros, for alphabets of any size.

    The pairs are in ascending order.
    """

    previous: Int[np.ndarray, "pairs"]
    following: Int[np.ndarray, "pairs"]
    counts: Int[np.ndarray, "pairs"]
    vocab_size: int

    @property
    def codes(self) -> Int[np.ndarray, "pairs"]:
        """The pairs as ascending numbers with base `vocab_size`."""
        return self.previous * self.vocab_size + self.following

    def rows(self, previous: Integer[np.ndarray, "rows"]) -> Int[np.ndarray, "rows vocab"]:
        """Return the rows of the count table for `previous` tokens.

        The tokens must be in ascending order.
        """
        table = np.zeros((len(previous), self.vocab_size), np.int64)
        at, here = find(previous, self.previous)
        table[at[here], self.following[here]] = self.counts[here]
        return table


def find(
    ascending: Integer[np.ndarray, "sorted"], values: Integer[np.ndarray, "values"]
) -> tuple[Int[np.ndarray, "values"], Bool[np.ndarray, "values"]]:
    """Return the place of each value among ascending numbers.

    The second array says whether the value occurs there.
    """
    at = np.searchsorted(ascending, values)
    here = at < len(ascending)
    here[here] = ascending[at[here]] == values[here]
    return at, here


def pairs(tokens: Integer[np.ndarray, "tokens"], vocab_size: int) -> Pairs:
    """Return the counted pairs of a flat array of tokens."""
    starts = range(0, len(tokens) - 1, PIECE)
    return pairs_of((tokens[start : start + PIECE + 1] for start in starts), vocab_size)


def pairs_of(pieces: Iterable[Integer[np.ndarray, "tokens"]], vocab_size: int) -> Pairs:
    """Return the counted pairs of flat tokens in pieces.

    Each piece must begin with the last token of the one before.
    """
    found = np.zeros((2, 0), np.int64)
    for tokens in pieces:
        piece = tokens.astype(np.int64)
        codes = piece[:-1] * vocab_size + piece[1:]
        if vocab_size**2 <= PIECE:  # counting into a table is faster than sorting
            table = np.bincount(codes)
            here = np.stack([np.flatnonzero(table), table[table > 0]])
        else:
            here = np.stack(np.unique(codes, return_counts=True))
        found = _added(np.concatenate([found, here], axis=1))
    return Pairs(*np.divmod(found[0], vocab_size), found[1], vocab_size)


def _added(counted: Int[np.ndarray, "2 pairs"]) -> Int[np.ndarray, "2 distinct"]:
    """Return (code, count) with the counts of equal codes added."""
    codes, inverse = np.unique(counted[0], return_inverse=True)
    return np.stack([codes, np.bincount(inverse, counted[1]).astype(np.int64)])


def pair_nll(pairs: Pairs, model: Pairs, *, smoothing: float = 0.0) -> float:
    """Return the NLL of `pairs` under the smoothed frequencies of `model`, counted pairs too.

    In nats per character, as in `nll`; `smoothing` is added to every count of `model`.
    """
    at, known = find(model.codes, pairs.codes)
    seen = np.zeros(len(at))
    seen[known] = model.counts[at[known]]
    size = pairs.vocab_size
    totals = np.bincount(model.previous, model.counts, size)[pairs.previous] + smoothing * size
    with np.errstate(divide="ignore", invalid="ignore"):
        # As in `probabilities`, a row without any count is uniform.
        probs = np.where(totals > 0, (seen + smoothing) / totals, 1 / size)
        return float(-(pairs.counts * np.log(probs)).sum() / pairs.counts.sum())


def pair_kl(pairs: Pairs, model: Pairs, *, smoothing: float = 0.0) -> float:
    """Return the KL divergence of `pairs` from the frequencies of `model`.

    In nats per character, as in `kl`; `smoothing` is added to every count of `model`.
    """
    return pair_nll(pairs, model, smoothing=smoothing) - pair_nll(pairs, pairs)


def probabilities(
    counts: Real[np.ndarray, "rows vocab"], *, smoothing: float = 0.0
) -> Float[np.ndarray, "rows vocab"]:
    """Return P(next | previous) from smoothed counts.

    Each row sums to 1. `smoothing` is added to every count (1 is Laplace's rule). A row without any
    count is uniform, as it is for any smoothing above 0.
    """
    smoothed = counts + np.float64(smoothing)
    totals = smoothed.sum(axis=1, keepdims=True)
    uniform = np.full_like(smoothed, 1 / smoothed.shape[1])
    return np.divide(smoothed, totals, out=uniform, where=totals != 0)


def nll(probs: Float[np.ndarray, "vocab vocab"], counts: Table) -> float:
    """Return the mean negative log-likelihood of `counts` under `probs`.

    In nats per character. A list's bigram likelihood depends only on its counts. The result is
    infinite if the list has a pair of probability 0, and NaN if the list has no pair.
    """
    seen = counts > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(-(counts[seen] * np.log(probs[seen])).sum() / counts.sum())


def entropy_floor(counts: Table) -> float:
    """Return the list's conditional entropy H(next | previous).

    In nats per character. No bigram model has a lower loss on the list: with p the list's own
    conditional frequencies and q any model's, NLL(q) = H(p) + sum_a p(a) KL(p(.|a) || q(.|a)), and
    KL >= 0 with equality only at q = p (Gibbs' inequality; Cover and Thomas, Elements of
    Information Theory, theorem 2.6.3).
    """
    return nll(probabilities(counts), counts)


def kl(counts: Table, other: Table) -> float:
    """Return the conditional KL divergence of `counts` from `other`.

    These are the nats per character lost by coding the list of `counts` with the conditional
    frequencies of `other`: sum_a p(a) KL(p(.|a) || q(.|a)) >= 0. It says how far `other`'s bigrams
    are above the entropy floor.
    """
    return nll(probabilities(other), counts) - entropy_floor(counts)


class Letter(NamedTuple):
    """One step through a name: a pair and its probability.

    `nll` is the pair's negative log-likelihood in nats.
    """

    pair: str
    probability: float
    nll: float


def spell(name: str, probs: Float[np.ndarray, "vocab vocab"], vocab: Vocab) -> list[Letter]:
    """Return the probability of each letter and of the end.

    Each is given the letter before. Raises `InputError` if the name has a character that is not in
    `vocab`.
    """
    tokens = corpus.encode(vocab, [name])
    p = probs[tokens[:-1], tokens[1:]]
    with np.errstate(divide="ignore"):
        surprise = -np.log(p)
    pairs = [vocab.labels[a] + vocab.labels[b] for a, b in pairwise(tokens)]
    return [Letter(*row) for row in zip(pairs, p.tolist(), surprise.tolist(), strict=True)]
