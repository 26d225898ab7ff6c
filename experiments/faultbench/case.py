"""One setting of the bench: what differs from the lecture's run, and what should be found."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmjax.data import Dataset
from mmjax.model import Model
from mmjax.train import TrainState

Parts = dict[str, np.ndarray]
TUNING, HELD_OUT = "tuning", "held out"


def unchanged(x: Any, *_: Any) -> Any:
    """Return the first argument."""
    return x


@dataclass(frozen=True, eq=False)
class Case:
    """One setting of the bench; the defaults are the lecture's run."""

    name: str
    half: str
    """`TUNING`: thresholds may be chosen on it; `HELD_OUT`: they may not."""
    symptoms: tuple[str, ...] = ()
    """Symptoms that name the cause; none for a healthy setting."""
    model: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the network that differ from the lecture's."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the recipe that differ from the lecture's."""
    names: str = "shipped"
    """The list, a name in `lists.LISTS`."""
    parts: Callable[[Parts], Parts] = unchanged
    """Changes the parts of the list, for training and evaluation."""
    read: Callable[[np.ndarray, Model], Dataset] | None = None
    """Makes the dataset of training from the training tokens, if not the recipe."""
    start: Callable[[TrainState], TrainState] = unchanged
    """Changes the state before the first step."""
    resume: Callable[[TrainState], TrainState] = unchanged
    """Changes the state in the middle of training, as a faulty checkpoint does."""
    end: Callable[[TrainState], TrainState] = unchanged
    """Changes the state after the last step, as a faulty file does."""
    wrap: Callable[[Model], Model] = unchanged
    """Changes the network's forward pass, in training and evaluation."""
