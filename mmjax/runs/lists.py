"""Lists of names, split and encoded as the programs need them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmjax import counts, evaluate
from mmjax.data import corpus, encoded, vocab
from mmjax.data.corpus import Splits
from mmjax.data.encoded import Encoded
from mmjax.data.name_file import Note, no_note
from mmjax.data.vocab import Vocab
from mmjax.evaluate.copies import Copies, copies
from mmjax.model import Predictor
from mmjax.runs import checkpoint

# The options of `corpus.read_names` that a run keeps in its config.json.
READING = ("unique", "column", "header", "lower")
# All options that decide which names a part has.
SPLITTING = (*READING, "split_seed", "shuffles")
HELD_OUT = ("val", "test")


@dataclass(frozen=True, eq=False)
class Lists:
    """A list of names and its parts.

    Each part is a flat array of tokens and counted pairs. The parts are train, val and test, and
    val_unseen and test_unseen: the names of validation and test that do not occur in training.
    """

    names: Sequence[str]
    vocab: Vocab
    tokens: dict[str, np.ndarray]
    pairs: dict[str, counts.Pairs]

    @property
    def number(self) -> int:
        """Number of names."""
        return len(self.names)

    @property
    def whole(self) -> bool:
        """Whether `tokens` hold the whole parts, not samples of them."""
        return True

    @property
    def examples(self) -> dict[str, int]:
        """Number of examples of train, val and test."""
        return {part: len(self.tokens[part]) - 1 for part in encoded.PARTS}

    @property
    def training(self) -> np.ndarray:
        """The tokens to train on."""
        return self.tokens["train"]

    @property
    def checksum(self) -> str:
        """Checksum of the list, by which a checkpoint knows it."""
        return checkpoint.checksum(self.names)

    def compare(self, samples: Sequence[str]) -> tuple[Copies, frozenset[str]]:
        """Return (how the samples compare with the list, those that stand in it)."""
        return copies(samples, self.decoded()), frozenset(samples) & frozenset(self.names)

    def decoded(self) -> dict[str, list[str]]:
        """Return the names of each part."""
        return {part: corpus.decode(self.vocab, flat) for part, flat in self.tokens.items()}


class Split(NamedTuple):
    """A list of names, and how it is split."""

    names: list[str]
    parts: Splits


def read(config: Mapping[str, Any], names: Path | None = None, note: Note = no_note) -> list[str]:
    """Return the list that a run was trained on, read with the options in its config.json.

    `names` is the path of the list if it has moved. Raises `InputError` as `corpus.read_names`
    does. By default there are no notes; the run printed them.
    """
    reading = {name: config[name] for name in READING if name in config}
    return corpus.read_names(names or config["names"], **reading, note=note)


def read_split(config: Mapping[str, Any], names: Path | None = None, note: Note = no_note) -> Split:
    """Return a list, read and split with the options in `config`.

    `config` has `names`, `split_seed` and `shuffles`, and may have the options of reading. `names`
    is the path of the list if it has moved. An encoded list is split already. Raises `InputError`
    as `corpus.read_names` and `corpus.split` do.
    """
    path = names or config["names"]
    if encoded.is_encoded(path):
        return split_of(encoded.load(path))
    listed = read(config, names, note)
    return Split(
        listed, corpus.split(listed, seed=config["split_seed"], shuffles=config["shuffles"])
    )


def split_of(found: Encoded) -> Split:
    """Return the names of an encoded list, split as it was encoded."""
    parts = Splits(*corpus.decoded(found).values())
    return Split([name for part in parts for name in part], parts)


def parts_of(splits: Splits) -> dict[str, list[str]]:
    """Return the names of each part, with those of validation and test that are not in training."""
    parts, known = splits._asdict(), frozenset(splits.train)
    return parts | {f"{part}_unseen": corpus.unseen(parts[part], known) for part in HELD_OUT}


def encode(split: Split, letters: Vocab | None = None) -> Lists:
    """Return a list with its parts encoded.

    `letters` is by default the vocabulary of the list. Raises `InputError` if it has a character
    that is not in `letters`.
    """
    letters = letters or vocab.build(split.names)
    tokens = {part: corpus.encode(letters, names) for part, names in parts_of(split.parts).items()}
    pairs = {part: counts.pairs(flat, letters.size) for part, flat in tokens.items()}
    return Lists(split.names, letters, tokens, pairs)


def split_and_encode(
    names: list[str], letters: Vocab | None = None, *, seed: int, shuffles: int
) -> Lists:
    """Split a list of names and encode its parts, as `encode` does.

    Raises `InputError` if the list is too short.
    """
    return encode(Split(names, corpus.split(names, seed=seed, shuffles=shuffles)), letters)


def losses(lists: Lists, predictor: Predictor) -> dict[str, float]:
    """Return the loss of a model on each part of the list, by `loss_train`, `loss_val` and so on."""
    return {
        f"loss_{part}": evaluate.loss(predictor, tokens) for part, tokens in lists.tokens.items()
    }
