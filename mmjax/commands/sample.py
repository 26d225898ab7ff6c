"""Draw names from a trained model."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

import jax
import tyro

from mmjax.commands import name_list
from mmjax.errors import require, require_ranges
from mmjax.generate import sample
from mmjax.generate.sample import Sample
from mmjax.runs import weights
from mmjax.runs.reading import model_of
from mmjax.runs.samples import marked, sample_lines

GIVE_UP = 100_000  # names in a row without a new one


@dataclass(frozen=True)
class Options:
    """Draw names from a trained model, each marked as new or in the list.

    In a pipe, name and mark are separated by a tab.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """Load the model from this run folder, or from this .safetensors file. With a file of checkpoints/,
    also give --names."""
    count: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 20
    """Draw this many names, cut ones included."""
    temperature: float = 1.0
    """Divide the logits by this, before --top-k: below 1 makes likely letters likelier,
    0 takes the likeliest, above 1 makes names stranger."""
    top_k: int | None = None
    """Draw only from the k likeliest letters, and those that tie with the last.
    Applies before --top-p."""
    top_p: float | None = None
    """Draw only from the smallest set of most likely letters whose total probability reaches this; ties are kept."""
    prefix: str = ""
    """Begin every name with these letters."""
    max_length: int = sample.MAX_LENGTH
    """Cut a name after this many characters; it counts as a name and is marked as cut."""
    new_only: bool = False
    """Draw only names that are not in the list."""
    names: Path | None = None
    """Mark names that are not in this list as new; by default the list that the model was trained on."""
    seed: int = 0
    """Seed of the draws."""

    def __post_init__(self):
        """Raise `InputError` if a number is out of range; `sample.stream` checks the rest."""
        require_ranges(self, count=(0, 2**63 - 1), seed=(0, 2**32 - 1))


def program(options: Options) -> int:
    """Load, draw and show; return the exit status."""
    is_folder = options.run.is_dir()
    predictor, vocab = weights.load(model_of(options.run) if is_folder else options.run)
    folder = options.run if is_folder else options.run.parent
    known = frozenset(name_list.of_run(folder, options.names))
    samples = sample.stream(
        predictor,
        vocab,
        jax.random.key(options.seed),
        prefix=options.prefix,
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        max_length=options.max_length,
    )
    if options.new_only:
        samples = new_ones(samples, known)
    wanted = islice(samples, options.count)
    # New names may run out: show each one as it comes.
    together = 1 if options.new_only else sample.BATCH
    while lines := sample_lines(marked(list(islice(wanted, together)), known)):
        text = "\n".join(lines)
        print(text.expandtabs(24) if sys.stdout.isatty() else text)
    return 0


def new_ones(samples: Iterator[Sample], known: frozenset[str]) -> Iterator[Sample]:
    """Yield the samples that are not known.

    Raises `InputError` after `GIVE_UP` known ones in a row.
    """
    row = 0
    for drawn in samples:
        row = row + 1 if drawn.name in known else 0
        require(
            row < GIVE_UP,
            f"the last {GIVE_UP:,} names drawn are all in the list; raise --temperature, "
            "or give another --prefix",
        )
        if row == 0:
            yield drawn
