"""Training: recipes, optimizers, one step, jitted runs, the loop."""

from mmjax.train import members
from mmjax.train.loop import Chunk, Fitted, Progress, fit
from mmjax.train.minimize import minimize
from mmjax.train.optimizers import (
    OPTIMIZERS,
    SCHEDULES,
    Optimizer,
    optimizer_of,
    schedule_of,
    step_decay,
)
from mmjax.train.recipe import HYPER, RECIPES, Recipe
from mmjax.train.sgd import SGDState, sgd
from mmjax.train.step import TrainState, cross_entropy, init, predictor, train_step
from mmjax.train.steps import Observer, advance, copied, draw_batch, run, scan, together

__all__ = [
    "HYPER",
    "OPTIMIZERS",
    "RECIPES",
    "SCHEDULES",
    "Chunk",
    "Fitted",
    "Observer",
    "Optimizer",
    "Progress",
    "Recipe",
    "SGDState",
    "TrainState",
    "advance",
    "copied",
    "cross_entropy",
    "draw_batch",
    "fit",
    "init",
    "members",
    "minimize",
    "optimizer_of",
    "predictor",
    "run",
    "scan",
    "schedule_of",
    "sgd",
    "step_decay",
    "together",
    "train_step",
]
