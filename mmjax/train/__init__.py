"""Training: recipes, optimizers, one step, jitted runs, the loop."""

from mmjax.train import members
from mmjax.train.loop import Chunk, Fitted, Progress, fit
from mmjax.train.minimize import minimize
from mmjax.train.optimizers import OPTIMIZERS, Optimizer, optimizer_of
from mmjax.train.rates import RateTest, rate_test
from mmjax.train.recipe import HYPER, RECIPES, Recipe
from mmjax.train.schedules import SCHEDULES, schedule_of, step_decay
from mmjax.train.sgd import SGDState, sgd
from mmjax.train.step import (
    TrainState,
    cross_entropy,
    init,
    predictor,
    starting_from,
    train_step,
)
from mmjax.train.steps import Observer, advance, copied, draw_batch, run, scan, together
from mmjax.train.stopping import Best

__all__ = [
    "HYPER",
    "OPTIMIZERS",
    "RECIPES",
    "SCHEDULES",
    "Best",
    "Chunk",
    "Fitted",
    "Observer",
    "Optimizer",
    "Progress",
    "RateTest",
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
    "rate_test",
    "run",
    "scan",
    "schedule_of",
    "sgd",
    "starting_from",
    "step_decay",
    "together",
    "train_step",
]
