"""Encode a list that is larger than the memory: `mmjax encode LIST OUT`."""

import shlex
from dataclasses import dataclass
from pathlib import Path

import tyro
from tqdm import tqdm

from mmjax.data import encoded, encoding
from mmjax.errors import require, require_ranges
from mmjax.io.text import Table


@dataclass(frozen=True)
class Options:
    """Encode a list to files that training maps into memory, however long the list is.

    An interrupted call continues where it stopped. mmjax train OUT --recipe lecture trains on
    the files; see docs/SCALING.md.
    """

    names: tyro.conf.Positional[Path]
    """UTF-8 text file with one name per line."""
    out: tyro.conf.Positional[Path]
    """Folder to write to."""
    lines: bool = False
    """Each line is a name, although the list looks like CSV or JSON."""
    seed: int = 42
    """Seed that assigns the names to training, validation and test."""

    def __post_init__(self):
        require_ranges(self, seed=(0, 2**32 - 1))


def program(options: Options) -> int:
    """Encode the list and show the sizes; return the exit status."""
    path = options.names
    what = "is not a regular file" if path.exists() else "no such file"
    require(path.is_file(), f"{path}: {what}; give a text file with one name per line")
    total = 2 * path.stat().st_size
    try:
        with tqdm(total=total, unit="B", unit_scale=True, disable=None) as bar:
            encoding.encode(
                path, options.out, seed=options.seed, lines=options.lines, step=bar.update
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt("; the same command continues") from None
    found = encoded.load(options.out)
    rows = [
        (part, f"{found.names[part]:,}", f"{len(tokens):,}")
        for part, tokens in found.tokens.items()
    ]
    print(Table(["part", "names", "tokens"], rows))
    command = shlex.join(["mmjax", "train", str(options.out), "--recipe", "lecture"])
    print(f"\n{found.vocab.size - 1} characters. Train on them:\n  {command}")
    return 0
