"""One worker of a sweep that several processes share."""

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tqdm import tqdm

from experiments.sweep_closing import mlp_command
from experiments.sweep_options import Options
from mmjax.cli.interruption import interruptible
from mmjax.errors import require
from mmjax.io.text import Table
from mmjax.report.search import SHOWN, value
from mmjax.search import Population, Space
from mmjax.search.trial_log import require_equal


def run(
    options: Options,
    space: Space,
    population: Population,
    about: Mapping[str, Any],
    said: Sequence[str],
) -> int:
    """Train trials until the study has enough, and show the best; return the exit status."""
    require(
        importlib.util.find_spec("optuna") is not None,
        "--journal needs Optuna; pip install -e '.[optuna]'",
    )
    from mmjax.search import shared  # it needs Optuna

    assert options.journal is not None
    study = shared.open_study(options.journal)
    require_equal(study.user_attrs, about, f"{options.journal}: holds", "--journal")
    for name, value_there in about.items():
        study.set_user_attr(name, value_there)
    print("\n".join(said))
    total = space.search.trials
    with interruptible() as interruption, tqdm(total=total, unit="trial", disable=None) as bar:

        def stop(done: int) -> object:
            bar.update(done - bar.n)
            return interruption

        shared.work(study, space, population, options.seed, stop)
    ended = [each for each in study.get_trials() if each.value is not None]
    order = sorted(ended, key=lambda each: (each.value, each.number))
    found = [
        {name: option.of(each.params[name]) for name, option in space.options.items()}
        for each in order[:SHOWN]
    ]
    rows = [
        [str(each.number), *map(value, chosen.values()), each.value]
        for each, chosen in zip(order, found, strict=False)
    ]
    print(Table(["trial", *space.options, "loss_val"], rows))
    if not found:
        print("\nNo trial ended with a finite loss.")
    if found:
        print(f"\nTrain the best: {mlp_command(options, space, found[0])}")
    if interruption:
        print("interrupted; the same command continues the sweep", file=sys.stderr)
    return interruption.status
