"""Successive halving: train all trials briefly, keep the best, train those longer, and so on.

Source: Jamieson and Talwalkar, Non-stochastic Best Arm Identification and Hyperparameter
Optimization (https://arxiv.org/abs/1502.07943). A rung is a step at which trials are compared, by
validation loss alone. Networks of one shape train together. After a rung, the ones that go on are
grouped again, so that no slot stays empty.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from mmjax.search.halving import require_steps, rungs
from mmjax.search.population import Job, Population, Shape, shape_of
from mmjax.search.space import Space, Trial
from mmjax.search.trial_log import Result, TrialLog
from mmjax.train import members
from mmjax.train.loop import finite


class Unit(NamedTuple):
    """Jobs of one shape that train together, from one step to another."""

    shape: Shape
    jobs: list[Job]
    width: int
    """Number of slots."""
    start: int
    end: int


OnUnit = Callable[[Unit], object]
Stop = Callable[[], object]


class Study:
    """A search: its trials, and their results so far."""

    def __init__(
        self,
        space: Space,
        trials: Sequence[Trial],
        population: Population,
        log: TrialLog,
        *,
        seed: int,
        seeds: int,
    ) -> None:
        """Take what a search needs; the finalists train with `seeds` seeds after `seed`.

        Raises `InputError` as `require_steps` does.
        """
        require_steps(space.search, trials)
        self.search, self.trials = space.search, trials
        self.seed, self.seeds = seed, seeds
        self.population, self.log = population, log
        self.shapes = [shape_of(trial, [*space.options]) for trial in trials]
        longest = max(trial.recipe.steps for trial in trials)
        self.rungs = rungs(longest, self.search.first_rung, self.search.keep)

    def run(self, on_unit: OnUnit, stop: Stop) -> bool:
        """Train all that the log does not have yet; return whether the search is complete.

        `on_unit` gets every unit after its training, also those in the log. `stop` is asked before
        each unit.
        """
        alive, start = self.jobs, 0
        for end in self.rungs:
            kept = math.ceil(self.search.keep * len(alive))
            if not self._train_all(alive, start, end, kept, on_unit, stop):
                return False
            alive, start = self.best(alive, end, kept), end
        return self._train_all(alive, start, None, 0, on_unit, stop) and self._train_all(
            self.final_jobs(), 0, None, 0, on_unit, stop
        )

    @property
    def jobs(self) -> list[Job]:
        """The job of each trial."""
        return [Job(trial.number, self.seed) for trial in self.trials]

    def final_jobs(self) -> list[Job]:
        """Return the jobs of the best trials with their further seeds."""
        ended = [job for job in self.jobs if self.log.has(job, self.steps(job))]
        losses = {job: self.log.loss(job, self.steps(job)) for job in ended}
        finite = [job for job in ended if math.isfinite(losses[job])]
        best = sorted(finite, key=lambda job: (losses[job], job.trial))[: self.search.finalists]
        return [
            Job(job.trial, self.seed + 1 + i) for job in sorted(best) for i in range(self.seeds)
        ]

    def steps(self, job: Job) -> int:
        """Return the number of steps of a job that is not stopped."""
        return self.trials[job.trial].recipe.steps

    def best(self, jobs: Sequence[Job], step: int, count: int) -> list[Job]:
        """Return the best jobs at a step, in the order of their numbers.

        Those whose loss is not finite are never among them.
        """
        losses = {job: self.log.loss(job, step) for job in jobs if self.log.has(job, step)}
        finite = [job for job, loss in losses.items() if math.isfinite(loss)]
        return sorted(sorted(finite, key=lambda job: (losses[job], job.trial))[:count])

    def units(self, jobs: Sequence[Job], start: int, end: int | None) -> Iterator[Unit]:
        """Yield the units that train these jobs up to a step, by default their last."""
        by_shape: dict[Shape, list[Job]] = {}
        for job in jobs:
            by_shape.setdefault(self.shapes[job.trial], []).append(job)
        for shape, own in by_shape.items():
            for width in self.population.units(len(own)):
                unit, own = own[:width], own[width:]
                yield Unit(shape, unit, width, start, end or shape.recipe.steps)

    def network_steps(self) -> int:
        """Return how many steps all networks of the search take together, at most."""
        total, alive, start = 0, len(self.trials), 0
        for end in self.rungs:
            total += alive * (end - start)
            alive, start = math.ceil(self.search.keep * alive), end
        longest = sorted((trial.recipe.steps for trial in self.trials), reverse=True)
        total += sum(steps - start for steps in longest[:alive])
        return total + self.seeds * sum(longest[: min(alive, self.search.finalists)])

    def _train_all(
        self,
        jobs: Sequence[Job],
        start: int,
        end: int | None,
        kept: int,
        on_unit: OnUnit,
        stop: Stop,
    ) -> bool:
        """Train jobs up to a step and keep the states of the best; return whether all is done."""
        saved = {job for job in jobs if kept and end and self.log.has(job, end)}
        for unit in self.units(jobs, start, end):
            # After a kill, the log may have a part of a unit.
            missing = [job for job in unit.jobs if not self.log.has(job, unit.end)]
            if missing:
                if stop():
                    return False
                self._train(unit._replace(jobs=missing), jobs, kept)
            going_on = set(self.best(jobs, unit.end, kept)) if kept else set()
            saved |= {*unit.jobs} if kept else set()
            for job in saved - going_on:
                self.log.drop(job, unit.end)
            saved &= going_on
            on_unit(unit)
        for job in jobs if start else []:
            self.log.drop(job, start)
        return True

    def _train(self, unit: Unit, jobs: Sequence[Job], kept: int) -> None:
        shape, start, end = unit.shape, unit.start, unit.end
        if not all(self.log.holds(job, start) for job in unit.jobs):
            start = 0  # the start, or states that were lost: training again gives the same
        states = [self.log.load(job, start) for job in unit.jobs] if start else []
        options = [self.trials[job.trial].options for job in unit.jobs]
        hyper = {name: [each[name] for each in options] for name in shape.hyper}
        steps = end - start
        # Two calls at least, where possible, so that the faster one is without compilation.
        calls = steps // self.search.first_rung if self.rungs else 1 + (steps % 4 == 0)
        trained = self.population.train(
            *(shape, unit.jobs, hyper, states),
            width=unit.width,
            steps=steps // calls,
            calls=calls,
        )
        losses = np.where(np.isfinite(trained.losses), trained.losses, math.inf)
        if kept:
            states = members.unstack(trained.states)[: len(unit.jobs)]
            sound = [finite((state.params, state.stats, state.opt_state)) for state in states]
            losses = np.where(sound, losses, math.inf)
            known = [self.log.loss(job, end) for job in jobs if self.log.has(job, end)]
            limit = sorted(known)[:kept]
            for job, state, loss in zip(unit.jobs, states, losses, strict=True):
                if math.isfinite(loss) and (len(limit) < kept or loss <= limit[-1]):
                    self.log.save(job, shape, state)
        self.log.add(
            [
                Result(*job, end, float(loss), trained.seconds)
                for job, loss in zip(unit.jobs, losses, strict=True)
            ]
        )
