"""The tracks of the speedruns, and what an entry is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from experiments.speedruns.course import Course
from mmjax import Predictor


class Track(NamedTuple):
    """What the entries of a track compete in."""

    title: str
    target: float | None
    """Validation loss to reach, in nats per character, or None if the lowest counts."""
    figure: str
    """The figure that counts: seconds, steps or loss_val; the lowest is the record."""
    limit: float | None = None
    """Seconds that a run may take."""


@dataclass(frozen=True)
class Entry:
    """A way from the course to a trained model."""

    run: Callable[[Course, int], Predictor]
    """Takes the course and a seed. It must not keep anything for the next run."""
    about: str
    steps: int | None = None
    """Training steps, for tracks that count them."""


TRACKS = {
    "lecture-seconds": Track("seconds to 2.070 with the lecture's network", 2.07, "seconds"),
    "open-seconds": Track("seconds to 1.95 with anything", 1.95, "seconds"),
    "lecture-steps": Track("steps of batch 256 to 2.070 with the lecture's network", 2.07, "steps"),
    "open-loss": Track("lowest loss in ten minutes", None, "loss_val", 600.0),
}
