"""The page as one file: data, script and style, which the browser allows by their checksums."""

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from mmjax.data.vocab import Vocab
from mmjax.io import files
from mmjax.io.text import shown as printable
from mmjax.model import Predictor, parameter_count
from mmjax.models.mixture import components
from mmjax.models.mlp import MLP
from mmjax.report.playground import listed as lists
from mmjax.report.playground.models import LIMIT, Unfit, described, embedding

FOLDER = Path(__file__).parent
# The script of the page: these files one after the other, in one scope.
SCRIPTS = (
    *("random", "arrays", "mlp", "models", "sampling", "listed", "page", "shortlist", "make"),
    *("walk", "score", "embedding", "batchnorm", "inside", "quiz", "results", "main"),
)
ROUNDED = (
    "The parameters are rounded to 16 bits, so probabilities differ a little from the commands'."
)
PART = (
    "The model is a mixture of {}, too large for a page. This page runs one of them, the one that "
    "sees the most letters: names and scores differ from those of the commands."
)
FILTER = "The {:,} names are kept as a Bloom filter: of 1,000 new names, 1 is marked as listed by mistake."
NO_LIST = "The list of names is too long for the page, so new names are not marked."
NO_QUIZ = "No names of the list were left out of training, so there is no quiz."


def write(
    path: Path,
    predictor: Predictor,
    vocab: Vocab,
    *,
    listed: Sequence[str] | None,
    held_out: Sequence[str],
    title: str,
) -> None:
    """Write the page in which a model runs: one HTML file of at most `LIMIT` bytes.

    `listed` are all names of the list, or None if they are too many. `held_out` are real names that the model has not seen in
    training, for the quiz. The page says so if it has rounded parameters, or only a component of a
    mixture. Raises `Unfit` if no page can hold the model, and `InputError` if the file cannot be
    written.
    """
    files.write(path, render(predictor, vocab, listed=listed, held_out=held_out, title=title))


def render(
    predictor: Predictor,
    vocab: Vocab,
    *,
    listed: Sequence[str] | None,
    held_out: Sequence[str],
    title: str,
) -> str:
    """Return the page that `write` writes."""
    checks, title = lists.checks(listed), printable(title)
    held_out = lists.some(held_out)
    refusals = []
    for shown, rounded, note in _attempts(predictor):
        try:
            model = described(shown, rounded=rounded)
        except Unfit as unfit:
            refusals.append(unfit)
            continue
        for make_check in checks:
            check = make_check()
            # Without the list, a sampled name may be a real one.
            quiz = held_out if check else []
            notes = [note, ROUNDED * rounded, NO_QUIZ * (not held_out), NO_LIST * (not check)]
            if check and check["kind"] == "filter":
                notes.append(FILTER.format(check["names"]))
            data = {
                "title": title,
                "checksum": hashlib.sha256(json.dumps(model).encode()).hexdigest()[:8],
                "boundary": vocab.labels[0],
                "characters": vocab.characters,
                "model": model,
                "embedding": embedding(shown) if isinstance(shown.model, MLP) else None,
                "listed": check,
                "heldOut": quiz,
                "parameters": parameter_count(shown.params),
                "notes": [note for note in notes if note],
            }
            page = _page(title, data)
            if len(page.encode()) <= LIMIT:
                return page
    raise refusals[0] if refusals else Unfit(f"a page has at most {LIMIT:,} bytes")


def _attempts(predictor: Predictor) -> Iterator[tuple[Predictor, bool, str]]:
    """Yield (model, whether it is rounded, note) from the best page to the last resort."""
    parts = components(predictor)
    note = PART.format(f"{len(parts)} models")
    yield from ((predictor, rounded, "") for rounded in (False, True))
    for part in sorted(
        parts, key=lambda part: (-part.model.block_size, -parameter_count(part.params))
    ):
        yield from ((part, rounded, note) for rounded in (False, True))


def _page(title: str, data: dict[str, Any]) -> str:
    sources = [(FOLDER / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    script = '\n"use strict";\n(() => {\n' + "\n".join(sources) + "})();\n"
    style = "\n" + (FOLDER / "playground.css").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("playground.html.j2").render(
        title=title,
        data=Markup(_plain(json.dumps(data, separators=(",", ":")))),
        script=Markup(script),
        style=Markup(style),
        policy=f"default-src 'none'; script-src {_checksum(script)}; style-src {_checksum(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'",
    )


def _plain(text: str) -> str:
    """Return ASCII JSON without "<", so that no name can end the element, and without DEL."""
    return text.replace("<", "\\u003c").replace("\x7f", "\\u007f")


def _checksum(text: str) -> str:
    """Return the source expression that allows this text in a Content-Security-Policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
