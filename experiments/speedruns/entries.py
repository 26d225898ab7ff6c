"""The tracks of the speedruns and their entries, the oldest first."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from experiments.speedruns import mixtures, students
from experiments.speedruns.course import Course
from mmjax import Predictor, mlp
from mmjax.train import RECIPES, Recipe


class Track(NamedTuple):
    """What the entries of a track compete in."""

    title: str
    target: float | None
    """Validation loss to reach, in nats per character, or None if the lowest counts."""
    figure: str
    """The figure that counts: seconds, steps or loss_val; the lowest is the record."""


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
    "open-loss": Track("lowest loss in ten minutes", None, "loss_val"),
}

FAST = replace(RECIPES["fast"], steps=4_000)
# Distributions have no noise of single letters, so they need no weight decay.
SMOOTH = replace(RECIPES["fast"], weight_decay=0.0, warmup_steps=0)
NADAMW = replace(SMOOTH, steps=1_100)
MUON = replace(SMOOTH, optimizer="muon", learning_rate=0.2, steps=180, batch_size=1_024)
SHORT = replace(SMOOTH, optimizer="muon", learning_rate=0.1, steps=550)
EIGHT = mlp.MLP(
    block_size=8,
    embedding_dim=16,
    hidden_size=150,
    hidden_layers=3,
    norm_input=True,
    position=True,
)
LARGE = replace(EIGHT, embedding_dim=32, hidden_size=300, dropout=0.15)
WINDOWS = replace(RECIPES["fast"], optimizer="muon", data="windows", batch_size=256)


def with_muon(recipe: Recipe, cores: int) -> Callable[[Course, int], Predictor]:
    """Return the student with Muon and even batches."""
    rule = students.muon(recipe, adam_rate=0.1, beta=0.8, ns_steps=3)
    return partial(students.of_counting, recipe, optimizer=rule, cores=cores)


ENTRIES: dict[str, dict[str, Entry]] = {
    "lecture-seconds": {
        "fast": Entry(
            partial(students.of_list, FAST),
            "the fast recipe with 4,000 steps: NAdamW, the list's own distributions",
        ),
        "smooth": Entry(
            partial(students.of_counting, replace(SMOOTH, steps=2_000), even=False),
            "learns what Kneser-Ney predicts after each context; no weight decay",
        ),
        "even": Entry(
            partial(students.of_counting, NADAMW),
            "batches that cover the list evenly",
        ),
        "muon": Entry(with_muon(MUON, 1), "Muon, batches of 1,024"),
        "cores": Entry(with_muon(MUON, 2), "each core takes half of a batch"),
    },
    "open-seconds": {
        "network": Entry(
            partial(
                mixtures.of_networks_and_counting,
                *(EIGHT, replace(WINDOWS, steps=500, weight_decay=0.05), 1, (2, 3, 4, 5, 6)),
            ),
            "a network of three layers of 150 units and Kneser-Ney, mixed",
        ),
        "counting": Entry(
            partial(mixtures.of_counting, tuple(range(1, 9)), 12),
            "Kneser-Ney of 1 to 8 letters, mixed",
        ),
    },
    "lecture-steps": {
        "fast": Entry(
            partial(students.of_list, FAST),
            "the fast recipe with 4,000 steps",
            FAST.steps,
        ),
        "even": Entry(
            partial(students.of_counting, NADAMW),
            "learns what Kneser-Ney predicts; batches that cover the list evenly",
            NADAMW.steps,
        ),
        "muon": Entry(with_muon(SHORT, 1), "Muon", SHORT.steps),
    },
    "open-loss": {
        "counting": Entry(
            partial(mixtures.of_counting, tuple(range(1, 9)), 12),
            "Kneser-Ney of 1 to 8 letters, mixed",
        ),
        "networks": Entry(
            partial(
                mixtures.of_networks_and_counting,
                LARGE,
                replace(WINDOWS, steps=2_000, batch_size=512, weight_decay=0.05),
                *(2, (2, 3, 4, 5, 6)),
            ),
            "two networks of three layers of 300 units and Kneser-Ney, mixed",
        ),
    },
}
