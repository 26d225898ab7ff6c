"""The list of names in the page: as text, or as a Bloom filter if the text is long."""

import math
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from mmjax.report.playground.stored import stored

RATE = 1e-3  # share of new names that a Bloom filter takes for listed ones
HASHES = 10  # -log2(RATE), rounded
MOST_NAMES = 1_000_000  # with repeated ones
MOST_BITS = 2_000_000  # a third of a page
HELD_OUT = 1_000  # names for the quiz and for comparisons, at most

Check = dict[str, Any] | None


def checks(names: Sequence[str] | None) -> list[Callable[[], Check]]:
    """Return functions that make what says whether a name is listed, the largest first.

    None stands for nothing, where the list is too long for a page.
    """
    if (
        names is None
        or len(names) > MOST_NAMES
        or filter_bits(len(distinct := sorted({*names}))) > MOST_BITS
    ):
        return [lambda: None]
    return [partial(as_text, distinct), cache(partial(as_filter, distinct))]


def as_text(names: Sequence[str]) -> dict[str, Any]:
    """Return the names as lines."""
    return {"kind": "text", "text": "\n".join(names)}


def as_filter(names: Sequence[str]) -> dict[str, Any]:
    """Return a Bloom filter of the names.

    It has every name. It has a name that is not in the list with a probability of `RATE`. Source:
    Bloom, Space/time trade-offs in hash coding with allowable errors, 1970
    (https://doi.org/10.1145/362686.362692).
    """
    bits = filter_bits(len(names))
    first, second = (
        np.array([hashed(name.encode("utf-16-le", "surrogatepass"), seed) for name in names])
        for seed in (0, 1)
    )
    filled = np.zeros(bits, np.uint8)
    filled[(first[:, None] + np.arange(HASHES)[None, :] * second[:, None]) % bits] = 1
    packed = np.packbits(filled, bitorder="little")
    return {"kind": "filter", "bits": stored(packed), "hashes": HASHES, "names": len(names)}


def filter_bits(names: int) -> int:
    """Return the size of a Bloom filter: whole bytes, and at least one."""
    return 8 * max(1, math.ceil(names * -math.log(RATE) / math.log(2) ** 2 / 8))


def hashed(data: bytes, seed: int) -> int:
    """Return a hash of 32 bits: FNV-1a, then the last steps of MurmurHash3."""
    value = 2166136261 ^ seed
    for byte in data:
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    value = (value ^ value >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    value = (value ^ value >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return value ^ value >> 16


def some(names: Sequence[str]) -> list[str]:
    """Return distinct names, at most `HELD_OUT`, from the whole of a list."""
    distinct = [*dict.fromkeys(names)]
    return distinct[:: max(1, math.ceil(len(distinct) / HELD_OUT))]
