"""Options for the list of names."""

from dataclasses import dataclass
from pathlib import Path

from mmjax import corpus
from mmjax.cli.options import option


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
