"""Names out of a trained model: `python -m experiments.sample RUN --help`."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

import jax
import tyro

from mmjax import InputError, corpus, sample, weights
from mmjax.cli.program import main
from mmjax.errors import require, require_ranges
from mmjax.generate.sample import Sample
from mmjax.runs.reading import model_of, read_config
from mmjax.runs.samples import marked, sample_lines

GIVE_UP = 100_000  # names drawn without a new one


@dataclass(frozen=True)
class Options:
    """Draw names from a trained model, each marked as new or in the list.

    In a pipe, name and mark are separated by a tab.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """A run folder, or a .safetensors file in one."""
    count: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 20
    """How many names, cut ones included."""
    temperature: float = 1.0
    """Below 1 likely letters become likelier, 0 takes the likeliest, above 1 names become stranger. Comes before --top-k."""
    top_k: int | None = None
    """Draw among the k likeliest letters only, and what ties with the last of them. Comes before --top-p."""
    top_p: float | None = None
    """Draw among the fewest likeliest of those letters that together have this probability; ties are kept."""
    prefix: str = ""
    """What every name begins with."""
    max_length: int = sample.MAX_LENGTH
    """Characters after which a name is cut; it counts as a name and is marked as cut."""
    new_only: bool = False
    """Only names that are not in the list."""
    names: Path | None = None
    """The list that decides what is new; by default the one that the model was trained on."""
    seed: int = 0
    """Seed of the draws."""

    def __post_init__(self):
        """Raise `InputError` if a number is out of range; `sample.stream` looks at the rest."""
        require_ranges(self, count=(0, 2**63 - 1), seed=(0, 2**32 - 1))


def program(options: Options) -> int:
    """Load, draw and show; the exit status."""
    is_folder = options.run.is_dir()
    predictor, vocab = weights.load(model_of(options.run) if is_folder else options.run)
    folder = options.run if is_folder else options.run.parent
    known = frozenset(corpus.read_names(options.names or list_of(folder)))
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
    # New names may stop coming; then those that came have been shown.
    together = 1 if options.new_only else sample.BATCH
    while lines := sample_lines(marked(list(islice(wanted, together)), known)):
        text = "\n".join(lines)
        print(text.expandtabs(24) if sys.stdout.isatty() else text)
    return 0


def list_of(folder: Path) -> Path:
    """The list that a run was trained on. Raises `InputError` if that cannot be told, or it is gone."""
    try:
        path = Path(read_config(folder, ["names"])["names"])
    except InputError as error:
        raise InputError(f"{error}, or the list: give it with --names") from None
    require(
        path.exists(),
        f"{path}: the list of this run is gone; give one with --names to tell what is new",
    )
    return path


def new_ones(samples: Iterator[Sample], known: frozenset[str]) -> Iterator[Sample]:
    """The samples that are not known. Raises `InputError` after `GIVE_UP` known ones in a row."""
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


if __name__ == "__main__":
    main("experiments.sample", Options, program)
