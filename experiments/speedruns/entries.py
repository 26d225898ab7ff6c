"""The entries of each track, the oldest first."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from experiments.speedruns import mixtures, students
from experiments.speedruns.course import Course
from experiments.speedruns.tracks import Entry
from mmjax import Predictor, mlp
from mmjax.train import RECIPES, Recipe

# Distributions have no noise of single letters, so they need no weight decay.
SMOOTH = replace(RECIPES["fast"], weight_decay=0.0, warmup_steps=0)
NADAMW = replace(SMOOTH, steps=1_300)
MUON = replace(SMOOTH, optimizer="muon", learning_rate=0.2, steps=180, batch_size=1_024)
HALF = replace(MUON, learning_rate=0.15, steps=190, batch_size=512)
CORES = replace(MUON, steps=135)
LONG = replace(SMOOTH, optimizer="muon", learning_rate=0.1, steps=680)
SHORT = replace(LONG, steps=340, beta1=0.8)
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


def with_muon(
    recipe: Recipe, *, adam_rate: float = 0.1, beta: float = 0.8, **more: Any
) -> Callable[[Course, int], Predictor]:
    """Return the student with Muon and even batches."""
    rule = students.muon(recipe, adam_rate=adam_rate, beta=beta, ns_steps=3)
    return partial(students.of_counting, recipe, optimizer=rule, **more)


def two_networks(steps: int) -> Entry:
    """Return an entry with two networks of three layers of 300 units."""
    recipe = replace(WINDOWS, steps=steps, batch_size=512, weight_decay=0.05)
    return Entry(
        partial(mixtures.of_networks_and_counting, LARGE, recipe, 2, (2, 3, 4, 5, 6)),
        f"two networks of three layers of 300 units, {steps:,} steps, and Kneser-Ney, mixed",
    )


ENTRIES: dict[str, dict[str, Entry]] = {
    "lecture-seconds": {
        "smooth": Entry(
            partial(students.of_counting, replace(SMOOTH, steps=2_000), even=False),
            "learns what Kneser-Ney predicts after each context, with NAdamW",
        ),
        "even": Entry(
            partial(students.of_counting, NADAMW),
            "batches that cover the list evenly",
        ),
        "muon": Entry(with_muon(MUON), "Muon, batches of 1,024"),
        "rare": Entry(
            with_muon(HALF, power=0.6),
            "rare contexts come more often and weigh less; batches of 512",
        ),
        "cores": Entry(
            with_muon(CORES, power=0.6, cores=2),
            "each core takes half of a batch of 1,024",
        ),
    },
    "open-seconds": {
        "network": Entry(
            partial(
                mixtures.of_networks_and_counting,
                *(EIGHT, replace(WINDOWS, steps=250, weight_decay=0.05), 1, (2, 3, 4, 5, 6)),
            ),
            "a network of three layers of 150 units and Kneser-Ney, mixed",
        ),
        "counting": Entry(
            partial(mixtures.of_counting, (1, 2, 3, 4, 6, 8), 16),
            "Kneser-Ney of 1 to 8 letters, mixed",
        ),
    },
    "lecture-steps": {
        "even": Entry(
            partial(students.of_counting, NADAMW),
            "learns what Kneser-Ney predicts; batches that cover the list evenly",
            NADAMW.steps,
        ),
        "muon": Entry(with_muon(LONG, adam_rate=0.05, beta=0.9), "Muon", LONG.steps),
        "rare": Entry(
            with_muon(SHORT, power=0.6),
            "rare contexts come more often and weigh less",
            SHORT.steps,
        ),
    },
    "open-loss": {
        "counting": Entry(
            partial(mixtures.of_counting, tuple(range(1, 9)), 12),
            "Kneser-Ney of 1 to 8 letters, mixed",
        ),
        "short": two_networks(500),
        "medium": two_networks(1_000),
        "long": two_networks(2_000),
    },
}
