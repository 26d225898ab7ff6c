"""What is typed, in the spelling of the list: its case, its Unicode form."""

import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, cast

from mmjax.data.vocab import Vocab
from mmjax.generate.conditions import Conditions
from mmjax.io.text import shown


def spelled(conditions: Conditions, vocab: Vocab, known: Iterable[str]) -> Conditions:
    """Return the conditions as the list spells them; say on standard error what is changed.

    A change between composed and decomposed letters cannot be seen, so it is not said.
    """
    changed: dict[str, str] = {}
    for name in ("prefix", "suffix", "contains", "pattern", "like"):
        typed: str = getattr(conditions, name)
        found = beginning(typed, known) if name == "prefix" else typed
        changed[name] = found = within(found, vocab, "*?[]!" * (name == "pattern"))
        if _composed(found) != _composed(typed):
            hint = f"--{name} {typed!r} is taken as {found!r}, the spelling of the list"
            print(shown(hint), file=sys.stderr)
    return replace(conditions, **cast(Any, changed))


def beginning(prefix: str, known: Iterable[str]) -> str:
    """Return the most frequent beginning of known names that reads as the prefix.

    Case and Unicode form may differ. If a name begins with the prefix itself, or none does in any
    spelling, the prefix is returned.
    """
    known = list(known)
    if not prefix or any(name.startswith(prefix) for name in known):
        return prefix
    folded = _folded(prefix)
    found = Counter[str]()
    for name in known:
        if _folded(name).startswith(folded):
            heads = (name[:i] for i in range(len(name) + 1))
            found.update(filter(None, [next((h for h in heads if _folded(h) == folded), "")]))
    return min(found, key=lambda head: (-found[head], head), default=prefix)


def in_form(names: Iterable[str], vocab: Vocab) -> list[str]:
    """Return the names in the Unicode form that the vocabulary has, where it has one."""
    letters = frozenset(vocab.characters)
    return [
        name if letters.issuperset(name) else _first(vocab, [name, *_forms(name)]) for name in names
    ]


def within(text: str, vocab: Vocab, more: str = "") -> str:
    """Return the first spelling of a text that has only letters of the vocabulary.

    The letters of `more` are allowed too. If there is none, the text is returned.
    """
    cases = (text, text.lower(), text.title(), text.upper())
    return _first(vocab, [text, *(form for case in cases for form in _forms(case))], more)


def _first(vocab: Vocab, forms: list[str], more: str = "") -> str:
    letters = {*vocab.characters, *more}
    return next((form for form in forms if letters.issuperset(form)), forms[0])


def _forms(text: str) -> list[str]:
    return [unicodedata.normalize(form, text) for form in ("NFC", "NFD")]


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _folded(text: str) -> str:
    return _composed(text).casefold()
