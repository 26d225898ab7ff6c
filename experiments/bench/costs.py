"""A model of the time of a training step in one process and in two."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np


class Cost(NamedTuple):
    """The model of a step's time, in microseconds."""

    start: float
    """Time that a step takes for any batch."""
    example: float
    """Time of one example."""
    messages: float
    """Time of the messages between two processes."""

    def step(self, batch_size: float, processes: int) -> float:
        """Return the time of a step."""
        messages = self.messages if processes > 1 else 0.0
        return self.start + self.example * batch_size / processes + messages

    @property
    def break_even(self) -> float:
        """Batch size from which two processes are faster than one."""
        return 2 * self.messages / self.example


def fitted(times: Mapping[int, Mapping[int, float]]) -> Cost:
    """Return the cost with the smallest sum of squared relative errors.

    With noisy times, a number can come out negative.
    """
    rows = [
        ([1.0, size / count, float(count > 1)], us)
        for count, by_size in times.items()
        for size, us in by_size.items()
    ]
    weighted = np.array([np.array(row) / us for row, us in rows])
    return Cost(*np.linalg.lstsq(weighted, np.ones(len(rows)), rcond=None)[0].tolist())
