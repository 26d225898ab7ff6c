"""The rungs of successive halving: the steps at which trials are compared."""

from collections.abc import Sequence

from mmjax.errors import require
from mmjax.search.space import Search, Trial


def require_steps(search: Search, trials: Sequence[Trial]) -> None:
    """Raise `InputError` unless the trials' numbers of steps fit the search.

    There must be at least one step. With a first rung, all trials need the same number of steps,
    more than the first rung, and a multiple of it.
    """
    lengths = sorted({trial.recipe.steps for trial in trials})
    require(lengths[0] > 0, "steps must be 1 or more; change them in [fixed] or [space]")
    first = search.first_rung
    fits = len(lengths) == 1 and lengths[0] % max(1, first) == 0 and lengths[0] > first
    require(
        not first or fits,
        f"steps must be the same in all trials and a multiple of first_rung ({first}), not "
        f"{' and '.join(map(str, lengths[:3]))}; change steps in [fixed], or first_rung",
    )


def rungs(steps: int, first: int, keep: float) -> list[int]:
    """Return the steps after which trials stop: `first`, then 1 / keep times as many, and so on.

    All are multiples of `first` below `steps`. There are none if `first` is 0.
    """
    found: list[int] = []
    rung = float(first)
    while first and (step := first * round(rung / first)) < steps:
        if not found or step > found[-1]:
            found.append(step)
        rung /= keep
    return found
