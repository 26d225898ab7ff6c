"""Options of the counting program."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mmjax.cli.options import option
from mmjax.commands.name_list import SplitList
from mmjax.counting.tree import MAX_ORDER
from mmjax.errors import require, require_ranges


@dataclass(frozen=True)
class Options:
    """Count which letter follows each context, smooth by Kneser-Ney, and mix the models.

    Counts contexts of several lengths in the training part, with discounts by formula and tuned on
    the validation part, and scores them on parts of the list. Writes its figures, samples and the
    model with the lowest validation loss to the run folder.
    """

    name_list: SplitList
    config: Path | None = option(None, inherited=False)
    """Take the options, except --out and --overwrite, from this config.json of a run;
    options on the command line take precedence."""
    out: Path = option(Path("runs/counting"), inherited=False)
    """Run folder to write to; a finished run in it is overwritten."""
    overwrite: bool = option(False, inherited=False)
    """Overwrite an unfinished run in the run folder."""
    orders: tuple[int, ...] = (3, 4, 5, 6)
    """Lengths of context to count: the number of previous characters."""
    tune: bool = True
    """With --no-tune, use the discounts of the formula only; saves a few seconds."""
    mixture: Literal["none", "linear", "geometric"] = "geometric"
    """Mix the models of all orders, with weights fitted on the validation part: linear has one
    weight for each model, geometric one for each model and position in the name."""
    seed: int = 0
    """Seed of the samples."""

    def __post_init__(self):
        require_ranges(self, seed=(0, 2**32 - 1))
        require_orders(self.orders)


def require_orders(orders: tuple[int, ...]) -> None:
    """Raise `InputError` unless `orders` are distinct lengths of context, at least one."""
    require(
        all(1 <= order <= MAX_ORDER for order in orders) and bool(orders),
        f"orders must be whole numbers from 1 to {MAX_ORDER:,}, such as --orders 3 4",
    )
    require(len({*orders}) == len(orders), "an order is given twice; give each once")
