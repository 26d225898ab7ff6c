"""The networks of a search that train together."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Integer

from mmjax import data as datasets
from mmjax.data import context_table
from mmjax.evaluate import member_losses
from mmjax.models.mlp import MLP
from mmjax.search.space import Trial
from mmjax.train import Recipe, TrainState, members
from mmjax.train.placement import at_once
from mmjax.train.recipe import may_differ


class Shape(NamedTuple):
    """What networks that train together have in common; it is compiled once."""

    model: MLP
    recipe: Recipe
    hyper: tuple[str, ...]
    """Names of the numbers that differ between them."""


class Job(NamedTuple):
    """One network to train: a trial with a seed."""

    trial: int
    seed: int


class Trained(NamedTuple):
    """The results of a unit of jobs."""

    losses: np.ndarray
    """Validation loss of each job, in nats per character."""
    seconds: float
    """Seconds of training per step and network, without compilation where that can be told."""
    states: TrainState
    """States with a leading axis of slots; the jobs have the first ones."""


def shape_of(trial: Trial, differ: Sequence[str]) -> Shape:
    """Return the shape of a trial's network; `differ` names the options that vary."""
    hyper = [name for name in differ if name in may_differ(trial.model)]
    if trial.recipe.optimizer == "sgd":
        hyper = [name for name in hyper if name != "weight_decay"]  # it is 0 in all of them
    model, recipe = (_without(config, hyper) for config in (trial.model, trial.recipe))
    return Shape(model, recipe, tuple(hyper))


def _without(config: Any, hyper: Sequence[str]) -> Any:
    """Return a configuration with the defaults of the numbers that `hyper` replaces."""
    own = {name: getattr(type(config), name) for name in hyper if hasattr(config, name)}
    return replace(config, **own)


class Population:
    """Trains networks of any shapes on one list, and measures their validation loss."""

    def __init__(
        self,
        tokens: Integer[np.ndarray, "tokens"],
        validation: Integer[np.ndarray, "validation"],
        vocab_size: int,
        slots: int,
    ) -> None:
        self.vocab_size = vocab_size
        self.slots = slots
        # Keys are those of `Shape`'s model and recipe; a search has few.
        self._examples = lru_cache(4)(
            lambda kind, noise, model: datasets.of(kind, tokens, model, noise=noise)
        )
        self._table = lru_cache(4)(
            lambda vocab, block: context_table.collect(validation, vocab, block)
        )

    def units(self, count: int) -> list[int]:
        """Return the sizes of the groups that train `count` networks.

        Each size needs a compilation. So there are at most two: the slots, and the number of devices
        for the rest. An accelerator trains all slots in the time of one, so there the rest fills
        slots, too.
        """
        if at_once():
            return [self.slots] * -(-count // self.slots)
        devices = min(jax.device_count(), self.slots)
        full, rest = divmod(count, self.slots)
        return [self.slots] * full + [devices] * -(-rest // devices)

    def train(
        self,
        shape: Shape,
        jobs: Sequence[Job],
        hyper: Mapping[str, Sequence[float]],
        states: Sequence[TrainState],
        *,
        width: int,
        steps: int,
        calls: int,
    ) -> Trained:
        """Train one network for each job for `steps` steps in each of several `calls`.

        Without `states`, they start from the beginning. `width` is the number of slots: copies of
        the last job fill those without one.
        """
        model, recipe = shape.model, shape.recipe
        filled = [*range(len(jobs)), *[len(jobs) - 1] * (width - len(jobs))]
        if states:
            population = members.stack([states[i] for i in filled])
        else:
            seeds = np.array([jobs[i].seed for i in filled], np.uint32)
            own = {name: np.array([values[i] for i in filled]) for name, values in hyper.items()}
            population = members.init(model, recipe, jax.vmap(jax.random.key)(seeds), hyper=own)
        examples = self._examples(recipe.data, recipe.noise, model)
        seconds = []
        for _ in range(calls):
            started = time.perf_counter()
            population, losses = members.advance(model, recipe, population, examples, steps=steps)
            jax.block_until_ready(losses)
            seconds.append((time.perf_counter() - started) / (steps * width))
        table = self._table(model.vocab_size, model.block_size)
        losses = member_losses(model, population, table)
        return Trained(losses[: len(jobs)], min(seconds), population)

    def losses(self, trials: Sequence[Trial], differ: Sequence[str], seed: int) -> dict[int, float]:
        """Return the validation loss of each trial after all its steps, by its number.

        `differ` names the options that vary. A loss that is not finite is infinite.
        """
        shapes = {trial.number: shape_of(trial, differ) for trial in trials}
        found: dict[int, float] = {}
        for shape in dict.fromkeys(shapes.values()):
            own = [trial for trial in trials if shapes[trial.number] == shape]
            for width in self.units(len(own)):
                unit, own = own[:width], own[width:]
                jobs = [Job(trial.number, seed) for trial in unit]
                hyper = {name: [trial.options[name] for trial in unit] for name in shape.hyper}
                steps = shape.recipe.steps
                trained = self.train(shape, jobs, hyper, [], width=width, steps=steps, calls=1)
                losses = np.where(np.isfinite(trained.losses), trained.losses, np.inf)
                found |= {job.trial: float(loss) for job, loss in zip(jobs, losses, strict=True)}
        return found
