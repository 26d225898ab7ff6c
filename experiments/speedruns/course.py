"""The course of the speedruns: a list without its test part."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmjax import corpus, vocab


class Course(NamedTuple):
    """The training and validation parts of a list, as flat arrays of tokens."""

    tokens: np.ndarray
    val: np.ndarray
    vocab_size: int


def of_names(names: Sequence[str]) -> Course:
    """Split a list and encode all but its test part.

    The test names have no effect, not even on the alphabet. Raises `InputError` as `corpus.split`
    does.
    """
    train, val, _ = corpus.split(names)
    letters = vocab.build([*train, *val])
    return Course(corpus.encode(letters, train), corpus.encode(letters, val), letters.size)
