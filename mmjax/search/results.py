"""The results of the trials of a search, read from its log."""

from collections.abc import Mapping

import jax

from mmjax.model import parameter_count
from mmjax.search.outcome import Finalist, Outcome
from mmjax.search.population import Job, Shape
from mmjax.search.study import Study


def outcomes(study: Study) -> list[Outcome]:
    """Return the outcome of each trial, in the order of their numbers.

    The seconds of a trial follow from the fastest measurement of its shape, since others may
    include compilation.
    """
    seconds: dict[Shape, float] = {}
    for (job, _), result in study.log.results.items():
        shape = study.shapes[job.trial]
        seconds[shape] = min(seconds.get(shape, result.seconds), result.seconds)
    return [_outcome(study, i, seconds) for i in range(len(study.trials))]


def _outcome(study: Study, number: int, seconds: Mapping[Shape, float]) -> Outcome:
    trial, job = study.trials[number], study.jobs[number]
    steps = [*study.rungs, trial.recipe.steps]
    last = max(step for step in steps if study.log.has(job, step))
    params, _ = jax.eval_shape(trial.model.init, jax.random.key(0))
    return Outcome(
        trial=trial,
        step=last,
        loss_val=study.log.loss(job, last),
        first_step=steps[0],
        first_loss=study.log.loss(job, steps[0]),
        ended=last == trial.recipe.steps,
        parameters=parameter_count(params),
        seconds=seconds[study.shapes[number]] * last,
    )


def finalists(study: Study) -> list[Finalist]:
    """Return the trials that were trained with further seeds, the lowest mean loss first."""
    losses: dict[int, list[float]] = {}
    for job in study.final_jobs():
        losses.setdefault(job.trial, []).append(study.log.loss(job, study.steps(job)))
    found = [Finalist(study.trials[trial], each) for trial, each in losses.items()]
    return sorted(found, key=lambda each: each.mean)


def training_seconds(study: Study) -> float:
    """Return the seconds of training of all networks in the log, each as if it trained alone."""
    before: dict[Job, int] = {}
    total = 0.0
    for (job, step), result in sorted(study.log.results.items()):
        total += result.seconds * (step - before.get(job, 0))
        before[job] = step
    return total


def network_steps(study: Study) -> int:
    """Return how many steps all networks in the log took together."""
    last: dict[Job, int] = {}
    for job, step in study.log.results:
        last[job] = max(step, last.get(job, 0))
    return sum(last.values())
