"""The vocabulary: characters to tokens and back."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mmjax.errors import InputError, require

BOUNDARY = 0
CAPACITY = 2**16  # a token has one byte where that is enough, else two


@dataclass(frozen=True)
class Vocab:
    """The distinct characters of a list.

    Character i is token i + 1; `build` puts the characters in code point order. Raises `InputError`
    if a character occurs twice, or if there are more than 65,535 (tokens have at most two bytes).
    """

    characters: str

    def __post_init__(self):
        distinct = len(set(self.characters))
        require(distinct == len(self.characters), "a character occurs twice in the vocabulary")
        require(
            distinct < CAPACITY,
            f"{distinct:,} distinct characters are more than the {CAPACITY - 1:,} that a token can "
            "hold; use a list with fewer different characters",
        )

    @property
    def size(self) -> int:
        """Number of tokens, including the boundary."""
        return len(self.characters) + 1

    @property
    def dtype(self) -> np.dtype:
        """The smallest unsigned integer type that holds every token."""
        return np.min_scalar_type(self.size - 1)

    @property
    def labels(self) -> tuple[str, ...]:
        """The text to show for each token.

        The boundary is ".", or "<.>" if "." is one of the characters.
        """
        return ("<.>" if "." in self.characters else ".", *self.characters)


def build(names: Iterable[str]) -> Vocab:
    """Return the vocabulary of all characters in `names`."""
    return Vocab("".join(sorted(set("".join(names)))))


def require_size(vocab: Vocab, size: int) -> None:
    """Raise `InputError` unless the vocabulary has as many tokens as a model."""
    require(
        vocab.size == size,
        f"the vocabulary has {vocab.size:,} tokens with the boundary, but the model has {size:,}; "
        "give the vocabulary that the model was trained with",
    )


def encode(vocab: Vocab, text: str, *, boundary: str | None = None) -> np.ndarray:
    """Return the tokens of `text`: an array [len(text)] of `vocab.dtype`.

    `boundary`, if given, is a character outside the vocabulary that stands for the boundary. Raises
    `InputError` if a character is not in the vocabulary; the message names it.
    """
    known, wanted = _code_points(vocab.characters), _code_points(text)
    token_of = np.zeros(max(known.max(initial=0), wanted.max(initial=0)) + 1, vocab.dtype)
    token_of[known] = np.arange(1, vocab.size)
    tokens = token_of[wanted]
    unknown = tokens == BOUNDARY
    if boundary is not None:
        unknown &= wanted != ord(boundary)
    if unknown.any():
        at = int(np.argmax(unknown))
        character = text[at]
        if boundary is not None:  # the text is a list of names: name the wrong one only
            start = text.rfind(boundary, 0, at) + 1
            text = text[start:].partition(boundary)[0]
        raise InputError(
            f"{text[:40]!r} has the character {character!r} (U+{ord(character):04X}), which is not "
            f"among the {vocab.size - 1} characters of the list; use only those"
        )
    return tokens


def decode(vocab: Vocab, tokens: np.ndarray) -> str:
    """Return the text of `tokens` [n], the inverse of `encode`.

    No token may be the boundary.
    """
    code_points = _code_points(vocab.characters)[np.asarray(tokens, np.int64) - 1]
    return code_points.tobytes().decode("utf-32-le", "surrogatepass")


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
