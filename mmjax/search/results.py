"""The results of the trials of a search, read from its log."""

import jax

from mmjax.model import Model, parameter_count
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
    parameters = {shape: _parameters(shape.model) for shape in seconds}
    found = []
    for job, shape in zip(study.jobs, study.shapes, strict=True):
        outcome = _outcome(study, job)
        cost = seconds[shape] * outcome.step
        found.append(outcome._replace(parameters=parameters[shape], seconds=cost))
    return found


def _parameters(model: Model) -> int:
    params, _ = jax.eval_shape(model.init, jax.random.key(0))
    return parameter_count(params)


def _outcome(study: Study, job: Job) -> Outcome:
    trial = study.trials[job.trial]
    steps = [*study.rungs, trial.recipe.steps]
    last = max(step for step in steps if study.log.has(job, step))
    return Outcome(
        trial=trial,
        step=last,
        loss_val=study.log.loss(job, last),
        first_step=steps[0],
        first_loss=study.log.loss(job, steps[0]),
        ended=last == trial.recipe.steps,
        parameters=0,
        seconds=0.0,
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
