"""The options that say which list to read."""

from dataclasses import dataclass
from pathlib import Path

from mmjax import corpus


@dataclass(frozen=True)
class NameList:
    """Which names."""

    names: Path = Path("data/names.txt")
    """The list: a UTF-8 text file with one name per line."""
    unique: bool = False
    """Use a name that occurs more than once only once."""

    def read(self) -> list[str]:
        """Return the names of the list. Raises `InputError` as `corpus.read_names` does."""
        return corpus.read_names(self.names, unique=self.unique)
