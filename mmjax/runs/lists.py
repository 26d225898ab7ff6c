"""Lists of names, split and encoded as the programs need them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmjax import counts, evaluate
from mmjax.data import corpus, vocab
from mmjax.data.vocab import Vocab
from mmjax.model import Predictor

# The options of `corpus.read_names` that a run keeps in its config.json.
READING = ("unique", "column", "header", "lower")
# All options that decide which names a part has.
SPLITTING = (*READING, "split_seed", "shuffles")


class Lists(NamedTuple):
    """A list of names and its parts.

    Each part is a flat array of tokens and counted pairs. The parts are train, val and test, and
    val_unseen and test_unseen: the names of validation and test that do not occur in training.
    """

    names: list[str]
    vocab: Vocab
    tokens: dict[str, np.ndarray]
    pairs: dict[str, counts.Pairs]

    def decoded(self) -> dict[str, list[str]]:
        """Return the names of each part."""
        return {part: corpus.decode(self.vocab, flat) for part, flat in self.tokens.items()}


def read(config: Mapping[str, Any], names: Path | None = None) -> list[str]:
    """Return the list that a run was trained on, read with the options in its config.json.

    `names` is the path of the list if it has moved. Raises `InputError` as `corpus.read_names`
    does. There are no notes; the run printed them.
    """
    reading = {name: config[name] for name in READING if name in config}
    return corpus.read_names(names or config["names"], **reading)


def split(names: list[str], *, seed: int, shuffles: int) -> dict[str, list[str]]:
    """Return the names of each part.

    Raises `InputError` if the list is too short.
    """
    splits = corpus.split(names, seed=seed, shuffles=shuffles)
    parts, known = splits._asdict(), frozenset(splits.train)
    for part in ("val", "test"):
        parts[f"{part}_unseen"] = corpus.unseen(parts[part], known)
    return parts


def split_and_encode(
    names: list[str], letters: Vocab | None = None, *, seed: int, shuffles: int
) -> Lists:
    """Split a list of names and encode its parts.

    `letters` is by default the vocabulary of the list. Raises `InputError` if the list is too
    short, or has a character that is not in `letters`.
    """
    letters = letters or vocab.build(names)
    parts = split(names, seed=seed, shuffles=shuffles)
    tokens = {part: corpus.encode(letters, names) for part, names in parts.items()}
    pairs = {part: counts.pairs(flat, letters.size) for part, flat in tokens.items()}
    return Lists(names, letters, tokens, pairs)


def losses(lists: Lists, predictor: Predictor) -> dict[str, float]:
    """Return the loss of a model on each part of the list, by `loss_train`, `loss_val` and so on."""
    return {
        f"loss_{part}": evaluate.loss(predictor, tokens) for part, tokens in lists.tokens.items()
    }
