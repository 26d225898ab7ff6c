"""Find good settings by validation loss: `python -m experiments.sweep --help`."""

import sys
from dataclasses import replace
from typing import Any

import jax
from tqdm import tqdm

from experiments import sweep_closing, sweep_shared
from experiments.sweep_options import Options
from mmjax import checkpoint, corpus, search, vocab
from mmjax.cli.devices import a_device_for_each_core, cores
from mmjax.cli.interruption import interruptible
from mmjax.cli.program import main
from mmjax.commands import footprint
from mmjax.errors import InputError
from mmjax.io.text import shown
from mmjax.runs.folder import RunFolder, claimed
from mmjax.runs.layout import METRICS
from mmjax.search import Population, Space, Study, TrialLog
from mmjax.search.halving import require_steps
from mmjax.search.study import Unit

REASONS = 3  # for which trials are left out, shown at most


def program(options: Options) -> int:
    """Search, show and save; return the exit status."""
    space = search.read(options.space)
    names = options.name_list.read()
    listed = options.name_list
    splits = corpus.split(names, seed=listed.split_seed, shuffles=listed.shuffles)
    letters = vocab.build(names)
    # The test names are not even encoded.
    train, val = (corpus.encode(letters, part) for part in (splits.train, splits.val))
    about: dict[str, Any] = {"space": repr(space), "names": checkpoint.checksum(names)}
    about |= {"seed": options.seed, "split_seed": listed.split_seed, "shuffles": listed.shuffles}
    if not options.journal:
        a_device_for_each_core(cores())
    jax.devices()  # without a device, fail here, before anything is written
    population = Population(train, val, letters.size, space.search.slots)
    if options.journal:
        space = space._replace(search=replace(space.search, first_rung=0))
    trials, said = placed(options, space, letters.size)
    if options.journal:
        return sweep_shared.run(options, space, population, about, said)
    about["seeds"] = options.seeds
    with claimed(options.out):
        search.require_same(options.out, about, resume=options.resume, overwrite=options.overwrite)
        folder = RunFolder(options.out, options, resume=options.resume, overwrite=options.overwrite)
        log = TrialLog(options.out, letters, about, resume=options.resume)
        study = Study(space, trials, population, log, seed=options.seed, seeds=options.seeds)
        print("\n".join(said))
        return run(options, space, study, folder)


def placed(options: Options, space: Space, vocab_size: int) -> tuple[list[search.Trial], list[str]]:
    """Return the trials, and lines that say how many there are and why some were left out.

    Raises `InputError` if there is none, or if they cannot be trained.
    """
    try:
        trials, refused = search.trials(space, vocab_size, options.seed)
        require_steps(space.search, trials)
    except InputError as error:
        raise InputError(f"{options.space}: {error}") from None
    shapes = {search.shape_of(trial, [*space.options]) for trial in trials}
    most = max(len(trials), space.search.finalists * options.seeds)
    for shape in shapes:
        together = min(space.search.slots, most)
        footprint.require_room(shape.model, shape.recipe, together, "number of slots")
    said = [
        f"trials: {len(trials):,}; shapes, each compiled anew: {len(shapes):,}",
        *(
            shown(f"left out {refused.count(reason):,} combinations: {reason}")
            for reason in [*dict.fromkeys(refused)][:REASONS]
        ),
    ]
    if len({*refused}) > REASONS:
        said.append(f"left out {len(refused):,} combinations in all")
    return trials, said


def run(options: Options, space: Space, study: Study, folder: RunFolder) -> int:
    """Train what the log does not have yet; show and save the results."""
    for name in (METRICS, sweep_closing.TABLE):
        (folder.path / name).unlink(missing_ok=True)
    with (
        interruptible() as interruption,
        tqdm(total=study.network_steps(), unit="step", unit_scale=True, disable=None) as bar,
    ):

        def move(unit: Unit) -> None:
            bar.set_postfix_str(f"best {study.log.lowest():.4f}", refresh=False)
            bar.update(len(unit.jobs) * (unit.end - unit.start))

        complete = study.run(move, lambda: interruption)
    if not complete:
        print(f"{options.out}: interrupted; --resume continues the sweep", file=sys.stderr)
        return interruption.status
    return sweep_closing.close(options, space, study, folder)


if __name__ == "__main__":
    main("python -m experiments.sweep", Options, program)
