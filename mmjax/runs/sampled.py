"""Encoded lists that are too long for the memory, as the programs need them.

Training draws from the whole list. What is measured is measured on a sample of each part; whether a
name stands in the list is looked up in the whole list, which is then read once from the disk.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmjax import counts
from mmjax.data import corpus, encoded
from mmjax.data.encoded import Encoded
from mmjax.data.name_file import Note, no_note
from mmjax.data.on_disk import PLACES, Tokens
from mmjax.data.vocab import Vocab
from mmjax.errors import require
from mmjax.evaluate.copies import Copies
from mmjax.runs import lists
from mmjax.runs.lists import HELD_OUT, Lists

ON_SAMPLES = (
    f"The list is long: the table shows a sample of each part, names from {PLACES:,} places in it."
)
MOST = 2**19  # tokens of a part, above which a sample of that many stands for it


@dataclass(frozen=True, eq=False)
class Sampled(Lists):
    """A list on the disk.

    `tokens` and the pairs of validation and test are those of a sample; the pairs of train are
    those of the whole training part. `names` is empty.
    """

    source: Encoded

    @property
    def number(self) -> int:
        """Number of names."""
        return sum(self.source.names.values())

    @property
    def whole(self) -> bool:
        """Whether `tokens` hold the whole parts, not samples of them."""
        return False

    @property
    def examples(self) -> dict[str, int]:
        """Number of examples of train, val and test."""
        return {part: len(tokens) - 1 for part, tokens in self.source.tokens.items()}

    @property
    def training(self) -> np.memmap:
        """The tokens to train on, which stay on the disk."""
        return self.source.tokens["train"]

    @property
    def checksum(self) -> str:
        """Checksum of the list, by which a checkpoint knows it."""
        return self.source.checksum

    def compare(self, samples: Sequence[str]) -> tuple[Copies, frozenset[str]]:
        """Return (how the samples compare with the list, those that stand in it).

        A list of this length repeats many names, so an ideal model is taken to repeat as many as
        the validation and test parts do.
        """
        found = listed(self.source, samples)
        share = sum(name in found for name in samples) / len(samples)
        counted = {
            part: np.count_nonzero(self.tokens[part] == 0) - 1
            for part in (*HELD_OUT, *(f"{part}_unseen" for part in HELD_OUT))
        }
        unseen = sum(counted[f"{part}_unseen"] for part in HELD_OUT)
        repeated = 1 - unseen / max(1, sum(counted[part] for part in HELD_OUT))
        compared = Copies(
            samples_new=1 - share,
            samples_listed=share,
            samples_near=None,
            samples_distinct=len(frozenset(samples)) / len(samples),
            held_out_listed=repeated,
            ideal_listed=repeated,
        )
        return compared, found


def load(
    config: Mapping[str, Any],
    names: Path | None = None,
    letters: Vocab | None = None,
    note: Note = no_note,
) -> Lists:
    """Return the list with the path and the options in `config`, encoded.

    It is `lists.read_split`, encoded with `letters`, except that a long encoded list stays on the
    disk. Raises `InputError` as that does, and if an encoded list has other characters than
    `letters`.
    """
    path = names or config["names"]
    if encoded.is_encoded(path):
        found = encoded.load(path)
        if is_long(found):
            require(
                letters in (None, found.vocab),
                f"{path}: has other characters than the model; give the list that it was trained on",
            )
            return _sampled(found)
        return lists.encode(lists.split_of(found), letters)
    return lists.encode(lists.read_split(config, names, note), letters)


def listed(source: Encoded, names: Sequence[str]) -> frozenset[str]:
    """Return the names, of those given, that stand in an encoded list; it is read once."""
    letters = {*source.vocab.characters}
    known = [name for name in names if name and letters.issuperset(name)]
    flat = corpus.encode(source.vocab, known)
    held = np.any([Tokens.of(part).holds(flat) for part in source.tokens.values()], axis=0)
    return frozenset(name for name, one in zip(known, held, strict=True) if one)


def is_long(found: Encoded) -> bool:
    """Return whether a list stays on the disk."""
    return max(map(len, found.tokens.values())) > MOST


def names_of(found: Encoded) -> list[str]:
    """Return the names of a sample of each part."""
    flat = [Tokens.of(tokens).sample(MOST) for tokens in found.tokens.values()]
    return [name for tokens in flat for name in corpus.decode(found.vocab, tokens)]


def _sampled(found: Encoded) -> Sampled:
    whole = {part: Tokens.of(tokens) for part, tokens in found.tokens.items()}
    tokens = {part: each.sample(MOST) for part, each in whole.items()}
    held = {part: corpus.decode(found.vocab, tokens[part]) for part in HELD_OUT}
    flat = corpus.encode(found.vocab, [name for names in held.values() for name in names])
    seen = iter(whole["train"].holds(flat).tolist())
    for part, names_of in held.items():
        unseen = [name for name in names_of if not next(seen)]
        tokens[f"{part}_unseen"] = corpus.encode(found.vocab, unseen)
    size = found.vocab.size
    pairs = {part: counts.pairs(flat, size) for part, flat in tokens.items()}
    pairs["train"] = counts.pairs_of(whole["train"].pieces(), size)
    return Sampled((), found.vocab, tokens, pairs, found)
