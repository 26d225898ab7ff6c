"""Findings: what is wrong with a run, and what to do about it."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Grade = Literal["fault", "warning", "note"]
GRADES: tuple[Grade, ...] = ("fault", "warning", "note")
NO_CHANGES: Mapping[str, Any] = {}


class Finding(NamedTuple):
    """What is wrong, where, the figure and its threshold, and what to try."""

    symptom: str
    where: str
    figure: float
    threshold: float
    remedy: str
    unit: str = ""
    """Unit of the figure and the threshold: " %", " nats" or " of 100 units"."""
    grade: Grade = "warning"
    changes: Mapping[str, Any] = NO_CHANGES
    """Options of the run that carry out the remedy, with their values; empty if none can."""

    @property
    def advice(self) -> str:
        """What to do about it; a good network may have what a note says."""
        typed = option(self.changes)
        as_typed = f" ({typed})" if typed and typed not in self.remedy else ""
        return "if the losses are poor, " * (self.grade == "note") + f"try {self.remedy}{as_typed}"

    @property
    def picture(self) -> str:
        """Name of the report's picture that shows it, or an empty string."""
        return PICTURES.get(self.symptom, "")


PICTURES = {
    **dict.fromkeys(("diverging loss", "slow learning", "overfitting", "early drop"), "loss"),
    **dict.fromkeys(("noise in training", "few examples in the batches"), "loss"),
    **dict.fromkeys(("updates too small", "updates too large", "frozen weights"), "update_ratios"),
    **dict.fromkeys(("vanishing gradients", "exploding gradients"), "gradients"),
    **dict.fromkeys(("dead units", "saturated tanh"), "saturation"),
    **dict.fromkeys(("saturated relu", "saturated gelu", "saturated silu"), "activations"),
    "collapsed layer": "activations",
    "missing token": "predicted_against_counted",
}
"""The report's picture for a symptom."""


def option(changes: Mapping[str, Any]) -> str:
    """Return options as a user types them: --learning-rate 0.01 --norm batch."""
    words = []
    for name, value in changes.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words.append(f"--{flag} {value:g}" if isinstance(value, float) else f"--{flag} {value}")
    return " ".join(words)
