"""The spelling of names: Unicode's NFC, upper and lower case."""

import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np

UPPER = 0.05  # share of the names in capitals from which, up to 1 - UPPER, the case is mixed


def tidied(name: str, *, lower: bool = False) -> str:
    """Return a name without white space around it, in NFC and, with `lower`, in lower case."""
    name = name.strip()
    return unicodedata.normalize("NFC", name.lower() if lower else name)


def to_nfc(names: list[str]) -> int:
    """Change the names in place to NFC; return how many changed."""
    if "".join(names).isascii():
        return 0
    changed = 0
    for i, name in enumerate(names):
        if not unicodedata.is_normalized("NFC", name):
            names[i] = unicodedata.normalize("NFC", name)
            changed += names[i] != name
    return changed


def mixed_case(names: Sequence[str]) -> str | None:
    """Return in words how the case of names is mixed, or None.

    It is mixed if names are spelled in two ways that differ in case only, or if from 5 % to 95 %
    of the names are all upper case.
    """
    if "".join(names).islower():
        return None
    # Hashes take less memory than a set of names in lower case.
    twice = _distinct(names) - _distinct(name.lower() for name in names)
    if twice:
        return f"{twice:,} name{' is' if twice == 1 else 's are'} also spelled in another case"
    upper = sum(map(str.isupper, names))
    if UPPER * len(names) <= upper <= (1 - UPPER) * len(names):
        return f"{upper:,} of {len(names):,} names are all upper case"
    return None


def _distinct(names: Iterable[str]) -> int:
    return len(np.unique(np.fromiter(map(hash, names), np.int64)))
