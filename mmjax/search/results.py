"""What the trials of a search came to, read from its journal."""

from collections.abc import Mapping

import jax

from mmjax.model import parameter_count
from mmjax.search.analysis import Finalist, Outcome
from mmjax.search.population import Shape
from mmjax.search.study import Study


def outcomes(study: Study) -> list[Outcome]:
    """Return what each trial came to, in the order of their numbers.

    The seconds of a trial follow from the fastest measurement of its shape, since others may
    include compilation.
    """
    seconds: dict[Shape, float] = {}
    for (job, _), result in study.journal.results.items():
        shape = study.shapes[job.trial]
        seconds[shape] = min(seconds.get(shape, result.seconds), result.seconds)
    return [_outcome(study, i, seconds) for i in range(len(study.trials))]


def _outcome(study: Study, number: int, seconds: Mapping[Shape, float]) -> Outcome:
    trial, job = study.trials[number], study.jobs[number]
    steps = [*study.rungs, trial.recipe.steps]
    last = max(step for step in steps if study.journal.has([job], step))
    params, _ = jax.eval_shape(trial.model.init, jax.random.key(0))
    return Outcome(
        trial=trial,
        step=last,
        loss_val=study.journal.loss(job, last),
        first_loss=study.journal.loss(job, steps[0]),
        ended=last == trial.recipe.steps,
        parameters=parameter_count(params),
        seconds=seconds[study.shapes[number]] * last,
    )


def finalists(study: Study) -> list[Finalist]:
    """Return the trials that were trained with further seeds, the lowest mean loss first."""
    losses: dict[int, list[float]] = {}
    for job in study.final_jobs():
        losses.setdefault(job.trial, []).append(study.journal.loss(job, study.steps(job)))
    found = [Finalist(study.trials[trial], each) for trial, each in losses.items()]
    return sorted(found, key=lambda each: each.mean)
