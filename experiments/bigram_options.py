"""Options of the bigram's program."""

from dataclasses import dataclass, replace
from pathlib import Path

from experiments.bigram_fits import FULL
from mmjax.cli.options import option
from mmjax.commands.name_list import NameList
from mmjax.errors import require_ranges
from mmjax.train import Recipe


@dataclass(frozen=True)
class Options:
    """Learn which letter follows which, by counting and by gradient descent.

    The neural network learns the table that counting gives. Every step trains on the whole list.
    Compares the lecture's settings, better settings, and counting. Writes its figures, samples and
    weights to the run folder.
    """

    name_list: NameList
    config: Path | None = option(None, inherited=False)
    """Take the options, except --out and --overwrite, from this config.json of a run;
    options on the command line take precedence."""
    out: Path = option(Path("runs/bigram"), inherited=False)
    """Run folder to write to; a finished run in it is overwritten."""
    overwrite: bool = option(False, inherited=False)
    """Overwrite an unfinished run in the run folder."""
    steps: int = 10_000
    """Number of steps of gradient descent on the whole list."""
    learning_rate: float = 50.0
    """Learning rate of gradient descent. The lecture uses 0.1 with 100 steps, which is too small to
    converge."""
    penalty: float = 0.0
    """Weight of the penalty mean(W**2), which smooths the table; the lecture uses 0.01."""
    smoothing: float = 1.0
    """Add this number to every count in the smoothed table."""
    spell: str | None = None
    """Print the probability of each letter of this name; by default almajq, the lecture's example."""
    seed: int = 0
    """Seed of the initial weights and of the samples."""
    report: bool = True
    """With --no-report, write no report.html, no playground.html and no pictures; saves a few
    seconds."""

    def __post_init__(self):
        require_ranges(
            self,
            steps=(0, 2**31 - 1),
            learning_rate=(0.0, 1e6),
            penalty=(0.0, 1e6),
            smoothing=(0.0, 1e9),
            seed=(0, 2**32 - 1),
        )

    def recipe(self) -> Recipe:
        """Return the recipe that these options give."""
        return replace(
            FULL, steps=self.steps, learning_rate=self.learning_rate, penalty=self.penalty
        )
