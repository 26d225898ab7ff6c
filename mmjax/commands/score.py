"""Score names with a trained model."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

import tyro

from mmjax.commands import name_list, score_rows
from mmjax.commands.score_rows import Ranking
from mmjax.data import spelling
from mmjax.data.on_disk import PLACES
from mmjax.errors import require, require_ranges
from mmjax.evaluate.nearest import nearest
from mmjax.evaluate.score import Letter, Score, score
from mmjax.io.text import Table, aligned, shown
from mmjax.models import lookup
from mmjax.runs import weights
from mmjax.runs.layout import CONFIG
from mmjax.runs.reading import read_config, weights_at

HEADER = ("letter", "probability", "surprise", "likeliest other", "its probability")
SHOWN_NEAREST = 3


@dataclass(frozen=True)
class Options:
    """Show how probable a trained model finds names, letter by letter.

    The probabilities of all names sum to 1. Surprise is -log(probability) in nats. The percentile
    of a name is the percentage of the listed names that are less probable per character.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """Load the model from this run folder, or from this .safetensors file. With a file of checkpoints/,
    also give --names."""
    given: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[NAME ...]")
    ] = ()
    """Score these names."""
    file: str | None = None
    """Score the names in this UTF-8 text file, one name per line; - is standard input. There is one
    line of output for each."""
    format: Literal["text", "csv", "json", "jsonl"] = "text"
    """Write text, CSV, one JSON array, or one JSON object per line."""
    nearest: int | None = None
    """Show this many of the nearest listed names, by inserted, deleted and replaced letters; by default
    3 for names on the command line in text, else 0. It takes about a millisecond for each name."""
    names: Path | None = None
    """Compare with the names in this list; by default with the list that the model was trained on."""

    def __post_init__(self):
        require_ranges(self, **({} if self.nearest is None else {"nearest": (0, 1_000)}))
        require(
            bool(self.given) != (self.file is not None),
            "give names to score, or a file of names with --file; one of them",
        )


def program(options: Options) -> int:
    """Load, score and show; return the exit status."""
    folder = options.run if options.run.is_dir() else options.run.parent
    lower = (folder / CONFIG).exists() and read_config(folder).get("lower", False)
    chunks: Iterator[list[str]] = iter(())
    if options.file is not None:
        chunks = score_rows.read_chunks(options.file, lower=lower)
        # A file that cannot be read is reported before the model is loaded.
        first = next(chunks, None)
        chunks = chain([first] if first else [], chunks)
    predictor, vocab = weights.load(weights_at(options.run))
    known_list = name_list.of_run(folder, options.names)
    listed = known_list.names
    if known_list.source:
        print(
            f"the list is long: names are compared with {len(listed):,} of its names, from "
            f"{PLACES:,} places in each part",
            file=sys.stderr,
        )
    # Names are many: a table of all contexts, if it fits, is made once.
    predictor = lookup.for_many(predictor, lookup.MAX_CONTEXTS + 1)
    ranking = Ranking(predictor, vocab, listed)
    in_text = options.file is None and options.format == "text"
    count = options.nearest if options.nearest is not None else SHOWN_NEAREST * in_text
    known = list(dict.fromkeys(listed)) if count else []

    def near(name: str) -> list[str]:
        return [f"{found} ({edits})" for found, edits in nearest(name, known, count)]

    if options.file is not None:
        write(score_rows.texts(options.format, ranking, chunks, near if count else None))
        return 0
    names = [spelling.tidied(name, lower=lower) for name in options.given]
    scores = score(predictor, vocab, names)
    if in_text:
        blocks = [block(each, ranking, vocab.size - 1, near) for each in scores]
        print("\n\n".join(blocks))
    else:
        letters = {each.name: each.letters for each in scores}
        write(score_rows.texts(options.format, ranking, [names], near if count else None, letters))
    return 0


def block(found: Score, ranking: Ranking, letters: int, near: Callable[[str], list[str]]) -> str:
    """Return the lines that show one name: its letters, its total, and the names nearest to it."""
    nearest_names = ", ".join(map(shown, near(found.name)))
    last = [f"nearest listed names, with edits: {nearest_names}"] if nearest_names else []
    name = f'"{shown(found.name)}"'
    if found.unknown is not None:
        code = f"U+{ord(found.unknown):04X}"
        return "\n".join(
            [
                f"{name} has the letter {shown(found.unknown)!r} ({code}), which is not among the "
                f"{letters} letters of the model; its probability is 0",
                *last,
            ]
        )
    [percentile] = ranking.of([found.name]).percentiles
    return "\n".join(
        [
            str(Table(HEADER, [_row(letter) for letter in found.letters])),
            f"{name}: log-probability {found.log_probability:.4f}, "
            f"{found.nats_per_character:.4f} nats per character, with the end",
            f"percentile: more probable per character than {percentile:.1f} % of the "
            f"{len(ranking.listed):,} listed names",
            *last,
        ]
    )


def _row(found: Letter) -> Letter:
    """Return a letter as the table shows it: a space in quotes."""
    quoted = [repr(text) if text.isspace() else text for text in (found.letter, found.other)]
    return found._replace(letter=quoted[0], other=quoted[1])


def write(texts: Iterator[str]) -> None:
    """Write texts to standard output as they come; align the tabs on a terminal."""
    for text in texts:
        sys.stdout.write(aligned(text) if sys.stdout.isatty() else text)
