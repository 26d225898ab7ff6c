"""Counting: bigram tables, their probabilities and their entropy.

A count table is an array [vocab, vocab], previous token by next token.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Integer, Real

from mmjax.data import corpus
from mmjax.data.vocab import Vocab
from mmjax.errors import require

PIECE = 2**22  # tokens counted at once, and cells of a dense table, which bounds the memory
MAX_VOCAB = 2**13  # a table of that size takes half a gigabyte
Table = Real[np.ndarray, "vocab vocab"]


def bigrams(
    tokens: Integer[np.ndarray, "tokens"], vocab_size: int
) -> Int[np.ndarray, "vocab vocab"]:
    """How often each token follows each token in a flat array of tokens.

    Raises `InputError` if the vocabulary is so large that the table would need gigabytes.
    """
    require(
        vocab_size <= MAX_VOCAB,
        f"{vocab_size - 1:,} distinct characters are too many for a table of all their pairs, which "
        f"may have {MAX_VOCAB:,} rows; use a list in fewer scripts",
    )
    table = np.zeros(vocab_size**2, np.int64)
    for start in range(0, len(tokens) - 1, PIECE):
        piece = tokens[start : start + PIECE + 1].astype(np.int64)
        table += np.bincount(piece[:-1] * vocab_size + piece[1:], minlength=len(table))
    return table.reshape(vocab_size, vocab_size)


class Pairs(NamedTuple):
    """A count table without its zeros, in order, for alphabets of any size."""

    previous: Int[np.ndarray, "pairs"]
    following: Int[np.ndarray, "pairs"]
    counts: Int[np.ndarray, "pairs"]
    vocab_size: int

    @property
    def codes(self) -> Int[np.ndarray, "pairs"]:
        """Return the pairs as numbers with base vocab_size, ascending."""
        return self.previous * self.vocab_size + self.following

    def rows(self, previous: Integer[np.ndarray, "rows"]) -> Int[np.ndarray, "rows vocab"]:
        """Return the rows of the count table for some `previous` tokens, which must ascend."""
        table = np.zeros((len(previous), self.vocab_size), np.int64)
        at, here = find(previous, self.previous)
        table[at[here], self.following[here]] = self.counts[here]
        return table


def find(
    ascending: Integer[np.ndarray, "sorted"], values: Integer[np.ndarray, "values"]
) -> tuple[Int[np.ndarray, "values"], Bool[np.ndarray, "values"]]:
    """Return where each value would stand among ascending numbers, and whether it is there."""
    at = np.searchsorted(ascending, values)
    here = at < len(ascending)
    here[here] = ascending[at[here]] == values[here]
    return at, here


def pairs(tokens: Integer[np.ndarray, "tokens"], vocab_size: int) -> Pairs:
    """Return how often each pair occurs in a flat array of tokens."""
    found = [np.zeros((2, 0), np.int64)]
    for start in range(0, len(tokens) - 1, PIECE):
        piece = tokens[start : start + PIECE + 1].astype(np.int64)
        codes = piece[:-1] * vocab_size + piece[1:]
        if vocab_size**2 <= PIECE:  # which is faster than sorting
            table = np.bincount(codes)
            found.append(np.stack([np.flatnonzero(table), table[table > 0]]))
        else:
            found.append(np.stack(np.unique(codes, return_counts=True)))
    codes, counted = np.concatenate(found, axis=1)
    codes, inverse = np.unique(codes, return_inverse=True)
    totals = np.bincount(inverse, counted).astype(np.int64)
    return Pairs(*np.divmod(codes, vocab_size), totals, vocab_size)


def pair_nll(pairs: Pairs, model: Pairs, *, smoothing: float = 0.0) -> float:
    """Return `nll` of a list with these `pairs` under the smoothed frequencies of `model`."""
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
    """Return `kl` from a list with these `pairs` to the smoothed frequencies of `model`, in nats."""
    return pair_nll(pairs, model, smoothing=smoothing) - pair_nll(pairs, pairs)


def probabilities(
    counts: Real[np.ndarray, "rows vocab"], *, smoothing: float = 0.0
) -> Float[np.ndarray, "rows vocab"]:
    """P(next | previous) with `smoothing` added to every count (1: Laplace's rule), each row summing to 1.

    A row without any count is uniform, which is what smoothing k gives it however small k is.
    """
    smoothed = counts + np.float64(smoothing)
    totals = smoothed.sum(axis=1, keepdims=True)
    uniform = np.full_like(smoothed, 1 / smoothed.shape[1])
    return np.divide(smoothed, totals, out=uniform, where=totals != 0)


def nll(probs: Float[np.ndarray, "vocab vocab"], counts: Table) -> float:
    """Mean negative log-likelihood, in nats a token, of the list with these `counts` under `probs`.

    A list's bigram likelihood depends on its counts alone. Infinite if it has a pair of probability 0,
    NaN if it has none at all.
    """
    seen = counts > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(-(counts[seen] * np.log(probs[seen])).sum() / counts.sum())


def entropy_floor(counts: Table) -> float:
    """The conditional entropy H(next | previous) of the list, in nats: no bigram model scores below it.

    With p the list's own conditional frequencies and q any model's,
    NLL(q) = H(p) + sum_a p(a) KL(p(.|a) || q(.|a)), and KL >= 0 with equality only at q = p (Gibbs'
    inequality; Cover and Thomas, Elements of Information Theory, theorem 2.6.3).
    """
    return nll(probabilities(counts), counts)


def kl(counts: Table, other: Table) -> float:
    """Nats a token lost by coding the list of `counts` with the conditional frequencies of `other`.

    sum_a p(a) KL(p(.|a) || q(.|a)) >= 0: how far `other`'s bigrams lie above the entropy floor.
    """
    return nll(probabilities(other), counts) - entropy_floor(counts)


class Letter(NamedTuple):
    """One step through a name: the pair, its probability and its negative log-likelihood in nats."""

    pair: str
    probability: float
    nll: float


def spell(name: str, probs: Float[np.ndarray, "vocab vocab"], vocab: Vocab) -> list[Letter]:
    """The probability of every letter of `name` and of its end, given the letter before.

    Raises `InputError` if the name has a character that the vocabulary lacks.
    """
    tokens = corpus.encode(vocab, [name])
    p = probs[tokens[:-1], tokens[1:]]
    with np.errstate(divide="ignore"):
        surprise = -np.log(p)
    pairs = [vocab.labels[a] + vocab.labels[b] for a, b in pairwise(tokens)]
    return [Letter(*row) for row in zip(pairs, p.tolist(), surprise.tolist(), strict=True)]
