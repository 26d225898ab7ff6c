"""Lessons of the distillation program: what is taught to what, and how."""

from dataclasses import replace
from typing import Any, NamedTuple

from mmjax.train import RECIPES, Recipe


class Lesson(NamedTuple):
    """What is taught to what, and how."""

    student: dict[str, Any]
    """Fields of the student's network that differ from the lecture's."""
    recipe: Recipe
    """The student's recipe."""
    networks: int
    """Number of networks that teach."""
    teacher: dict[str, Any]
    """Fields of their network that differ from the student's."""
    teachers: Recipe
    """Their recipe."""
    orders: tuple[int, ...]
    """Lengths of context of the counted models that teach, too."""


# Distributions have no noise of single letters, so a student needs hardly any weight decay.
STUDENT = replace(
    RECIPES["fast"],
    steps=20_000,
    batch_size=512,
    learning_rate=0.01,
    weight_decay=0.0,
    early_stopping=False,
)
LARGE = replace(
    RECIPES["fast"], batch_size=512, optimizer="muon", data="windows", early_stopping=False
)
LESSONS = {
    "lecture": Lesson(
        student={},
        recipe=STUDENT,
        networks=6,
        teacher={},
        teachers=RECIPES["fast"],
        orders=(3,),
    ),
    "small": Lesson(
        student={
            "block_size": 8,
            "embedding_dim": 16,
            "hidden_size": 178,
            "hidden_layers": 3,
            "activation": "gelu",
            "norm_input": True,
            "position": True,
        },
        recipe=replace(LARGE, steps=8_000, data="contexts", learning_rate=0.04, weight_decay=0.01),
        networks=6,
        teacher={
            "embedding_dim": 32,
            "hidden_size": 300,
            "hidden_layers": 4,
            "residual": True,
            "dropout": 0.15,
        },
        teachers=replace(LARGE, steps=12_000, optimizer="adamw", learning_rate=0.004, noise=0.2),
        orders=(3, 4, 5, 6),
    ),
    "large": Lesson(
        student={
            "block_size": 8,
            "embedding_dim": 32,
            "hidden_size": 300,
            "hidden_layers": 3,
            "norm_input": True,
            "position": True,
        },
        recipe=replace(LARGE, steps=3_500, data="contexts", weight_decay=0.01),
        networks=4,
        teacher={"dropout": 0.2},
        teachers=replace(LARGE, steps=5_000, weight_decay=0.05),
        orders=(3, 4, 5, 6),
    ),
}
