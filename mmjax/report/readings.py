"""The picture of the instruments that are read during training."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mmjax import plots
from mmjax.diagnostics.checks.layers import DEAD_SHARES, MIN_RANK
from mmjax.diagnostics.cockpit import FARTHEST
from mmjax.plots import Panel
from mmjax.report.drawing import Picture

AVERAGED = 10  # readings whose signal and noise are averaged


def of_readings(
    records: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]
) -> Iterator[Picture]:
    """Yield the picture of a run's readings, if it has any; `settings` are its options."""
    read = [record for record in records if "instrument/sharpness" in record]
    if not read:
        return

    def column(name: str) -> np.ndarray:
        return np.array([record[name] for record in read], np.float64)

    def instrument(name: str) -> np.ndarray:
        return column(f"instrument/{name}")

    critical = _averaged(instrument("gradient_noise")) / _averaged(instrument("gradient_signal"))
    critical = np.where(critical > 0, critical, np.nan)  # the noise hides the signal
    size = settings["batch_size"]
    dead = 100 * DEAD_SHARES[0]
    panels = [
        _sharpness(instrument("sharpness"), column("lr"), sgd=settings["optimizer"] == "sgd"),
        Panel("reach of a step", instrument("step_reach"), -np.inf, FARTHEST, (-1.1, 1.1)),
        Panel(f"critical batch size; here it is {size}", critical, np.nan, np.nan, log=True),
        Panel(
            "directions that the outputs use (participation ratio)",
            *(instrument("participation_ratio"), MIN_RANK, np.inf, (0, MIN_RANK)),
        ),
        Panel("% dead units, worst layer", instrument("dead"), -1.0, dead, (-1.0, 1.2 * dead)),
    ]
    yield Picture(
        "readings",
        plots.readings(column("step"), panels),
        "How curved the loss is, how far a step goes across its valley, how large a batch is worth "
        "its price, and how many directions and units the layers use; docs/instruments explains "
        "each.",
    )


def _sharpness(values: np.ndarray, rates: np.ndarray, *, sgd: bool) -> Panel:
    """Return the panel of the sharpness, with the edge of stability where it is known."""
    if not (sgd and (rates > 0).any()):
        return Panel("sharpness", values, np.nan, np.nan, log=True)
    edge = 2 / np.where(rates > 0, rates, np.nan)
    shown = (float(np.nanmin(edge)), 1.2 * float(np.nanmax(edge)))
    return Panel("sharpness: below 2 / learning rate", values, 0.0, edge, shown, log=True)


def _averaged(values: np.ndarray) -> np.ndarray:
    """Return the mean of each value and those before it, `AVERAGED` at most."""
    sums = np.cumsum(np.concatenate([[0.0], values]))
    count = np.minimum(np.arange(1, len(values) + 1), AVERAGED)
    return (sums[1:] - sums[np.arange(1, len(values) + 1) - count]) / count
