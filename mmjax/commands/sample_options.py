"""Options of `sample`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from mmjax.errors import require, require_ranges
from mmjax.generate import sample
from mmjax.generate.conditions import Conditions


@dataclass(frozen=True)
class Options:
    """Draw names from a trained model, each marked as new or in the list.

    A pipe or a file gets the names alone, one per line. --prefix, --suffix, --contains, --pattern,
    --min-length, --max-length and --like are conditions. With one of them besides --prefix, the
    names are the model's own names that meet all conditions and end by themselves. If there are
    fewer names than asked for, a line on standard error says why; the status is 2 if there is none.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """Load the model from this run folder, or from this .safetensors file. Names of a file outside
    a run folder have no marks, unless --names gives a list."""
    count: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 20
    """Draw this many names, cut ones included. An empty name is never drawn."""
    temperature: float = 1.0
    """Divide the logits by this, before --top-k: below 1 makes likely letters likelier,
    0 takes the likeliest, above 1 makes names stranger."""
    top_k: int | None = None
    """Draw only from the k likeliest letters, and those that tie with the last.
    Applies before --top-p."""
    top_p: float | None = None
    """Draw only from the smallest set of most likely letters whose total probability, of what
    --top-k left, reaches this; ties are kept."""
    min_p: float | None = None
    """Draw only from the letters with at least this times the probability of the likeliest.
    Applies after --top-p."""
    typical: float | None = None
    """Draw only from the smallest set of letters whose total probability reaches this and whose
    information is nearest to the entropy; ties are kept. Applies last."""
    prefix: str = ""
    """Begin every name with these letters, in the list's own spelling."""
    suffix: str = ""
    """End every name with these letters."""
    contains: str = ""
    """Every name has these letters, one after the other."""
    pattern: str = ""
    """Every name is as this pattern: ? is a letter, * any number of letters, [abc] one of these
    letters, [!abc] any other letter; everything else stands for itself."""
    min_length: int = 1
    """Every name has at least this many letters."""
    max_length: int | None = None
    """Every name ends by itself after at most this many letters."""
    like: str = ""
    """Every name is near this one, but not this one: see --edits."""
    edits: int = 2
    """With --like: insert, delete or replace at most this many letters."""
    cut: int = sample.MAX_LENGTH
    """Cut a name after this many characters; it counts as a name and is marked as cut. With
    conditions, it bounds the length instead."""
    unique: bool = False
    """Show each name once, however often it is drawn."""
    new_only: bool = False
    """Draw only names that are not in the list."""
    avoid: Path | None = None
    """Never draw a name of this list."""
    names: Path | None = None
    """Mark names that are not in this list as new; by default the list that the model was trained on."""
    likeliest: int | None = None
    """Show this many of the model's likeliest names, in exact order, instead of drawing. The
    filters --temperature, --top-k, --top-p, --min-p and --typical do not apply."""
    diverse: float = 0.0
    """With --likeliest: choose names that differ, from ten times as many. Each has the highest
    log-probability minus this times its similarity, from 0 to 1, to a name chosen before."""
    sort: Literal["none", "likelihood", "length", "alphabet"] = "none"
    """Draw all names first, then show them in this order."""
    format: Literal["auto", "text", "csv", "json", "jsonl"] = "auto"
    """text: name, tab, mark; csv, json and jsonl: also the log-probability in nats, of the model
    without filters, and the nearest listed name with the letters to change. auto: text in the
    terminal, else the names alone."""
    seed: int = 0
    """Seed of the draws."""

    def __post_init__(self):
        """Raise `InputError` if a number is out of range; `sample.stream` checks the rest."""
        require_ranges(
            self, count=(0, 2**63 - 1), seed=(0, 2**32 - 1), cut=(1, 10_000), edits=(1, 100)
        )
        require_ranges(self, min_length=(0, 10_000))
        self.conditions()
        if self.likeliest is not None:
            require_ranges(self, likeliest=(0, 1_000_000), diverse=(0.0, 1_000.0))
        plain = {"temperature": 1.0, "top_k": None, "top_p": None, "min_p": None, "typical": None}
        require(
            self.likeliest is None or self.filters == plain,
            "--likeliest takes the model as it is; leave the filters out, such as --temperature",
        )
        require(
            not self.diverse or self.likeliest is not None,
            "--diverse chooses among the likeliest names; give --likeliest too",
        )

    @property
    def filters(self) -> dict[str, Any]:
        """The options of `filter_logits`."""
        names = ("temperature", "top_k", "top_p", "min_p", "typical")
        return {name: getattr(self, name) for name in names}

    def conditions(self) -> Conditions:
        """Return the conditions on every name, as they are typed; a name is never empty.

        Raises `InputError` if a number is out of range.
        """
        texts = (self.prefix, self.suffix, self.contains, self.pattern)
        lengths = (max(1, self.min_length), self.max_length)
        return Conditions(*texts, *lengths, self.like, self.edits)
