"""A search that several processes or machines share, by Optuna's journal in one file."""

import math
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages.journal import JournalFileBackend

from mmjax.errors import InputError
from mmjax.search.choices import Choice
from mmjax.search.population import Population
from mmjax.search.space import Space, trial


def open_study(path: Path) -> optuna.Study:
    """Return the study in a journal file, or a new one.

    Raises `InputError` if the file cannot be used.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(constant_liar=True)
    try:
        storage = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
        return optuna.create_study(
            study_name="mmjax", storage=storage, sampler=sampler, load_if_exists=True
        )
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: cannot be used as a journal: {error}") from None


def work(
    study: optuna.Study, space: Space, population: Population, seed: int, stop: Callable[..., Any]
) -> None:
    """Ask for trials, train them and tell their losses, until the study has enough or `stop`."""
    places: dict[str, Any] = {}
    for name, option in space.options.items():
        if isinstance(option, Choice):
            places[name] = CategoricalDistribution(range(len(option.choices)))
        else:
            kind: Any = IntDistribution if option.whole else FloatDistribution
            places[name] = kind(option.low, option.high, log=option.log)
    while True:
        done = sum(each.state.is_finished() for each in study.get_trials(deepcopy=False))
        if done >= space.search.trials or stop(done):
            return
        losses, found = {}, []
        count = min(space.search.slots, space.search.trials - done)
        for each in [study.ask(places) for _ in range(count)]:
            losses[each.number] = math.inf  # unless its training gives another
            values = {name: option.of(each.params[name]) for name, option in space.options.items()}
            with suppress(InputError):  # the network or the recipe refuses this combination
                found.append(trial(space, values, population.vocab_size, each.number))
        for number, loss in (losses | population.losses(found, [*places], seed)).items():
            failed = optuna.trial.TrialState.FAIL if math.isinf(loss) else None
            study.tell(number, None if failed else loss, failed)
