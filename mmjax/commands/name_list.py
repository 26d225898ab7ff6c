"""Options for the list of names."""

from dataclasses import dataclass
from pathlib import Path

from mmjax.cli.options import option
from mmjax.data import corpus
from mmjax.errors import require_ranges


@dataclass(frozen=True)
class NameList:
    """The list of names."""

    names: Path = option(Path("data/names.txt"), free=True)
    """Read the names from this UTF-8 text file, which has one name per line."""
    unique: bool = False
    """Use each name once, even if the list repeats it."""

    def read(self) -> list[str]:
        """Return the names of the list.

        Raises `InputError` as `corpus.read_names` does.
        """
        return corpus.read_names(self.names, unique=self.unique)


@dataclass(frozen=True)
class SplitList(NameList):
    """The list of names, and how it is split."""

    split_seed: int = 42
    """Seed of the shuffles before the list is split 80 : 10 : 10."""
    shuffles: int = 2
    """Shuffle this many times before the split: 2 gives the split of docs/REPRODUCTION.md,
    1 that of the lecture's later parts."""

    def __post_init__(self):
        require_ranges(self, split_seed=(0, 2**63 - 1), shuffles=(0, 1_000))
