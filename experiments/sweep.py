"""Search settings by validation loss: `python -m experiments.sweep --help`."""

import sys
import time
from typing import Any

import jax
from tqdm import tqdm

from experiments import footprint, sweep_closing, sweep_shared
from experiments.sweep_options import Options
from mmjax import checkpoint, corpus, search, vocab
from mmjax.cli.devices import a_device_for_each_core, cores
from mmjax.cli.interruption import interruptible
from mmjax.cli.program import main
from mmjax.runs.folder import RunFolder, claimed
from mmjax.search import Journal, Population, Space, Study
from mmjax.search.study import Unit


def program(options: Options) -> int:
    """Search, show and save; return the exit status."""
    space = search.read(options.space)
    names = options.name_list.read()
    splits = corpus.split(names, seed=options.split_seed, shuffles=options.shuffles)
    letters = vocab.build(names)
    # The test names are not even encoded.
    train, val = (corpus.encode(letters, part) for part in (splits.train, splits.val))
    about: dict[str, Any] = {
        "space": options.space.read_text(encoding="utf-8"),
        "names": checkpoint.checksum(names),
    }
    about |= {name: getattr(options, name) for name in ("seed", "split_seed", "shuffles")}
    if not options.journal:
        a_device_for_each_core(cores())
    population = Population(train, val, letters.size, space.search.slots)
    jax.devices()  # without a device, fail here, before anything is written
    if options.journal:
        return sweep_shared.run(options, space, population, about)
    about["seeds"] = options.seeds
    trials, refused = search.trials(space, letters.size, options.seed)
    for model, recipe in dict.fromkeys((trial.model, trial.recipe) for trial in trials):
        footprint.require_room(model, recipe, min(space.search.slots, len(trials)))
    with claimed(options.out):
        search.require_same(options.out, about, resume=options.resume, overwrite=options.overwrite)
        for reason in dict.fromkeys(refused):
            print(f"left out {refused.count(reason)} of the combinations: {reason}")
        journal = Journal(options.out, letters, about, resume=options.resume)
        study = Study(space, trials, population, journal, seed=options.seed, seeds=options.seeds)
        return run(options, space, study)


def run(options: Options, space: Space, study: Study) -> int:
    """Search what the journal does not have yet; show and save what is found."""
    started = time.perf_counter()
    folder = RunFolder(options.out, options, resume=options.resume, overwrite=True)
    with (
        interruptible() as interruption,
        tqdm(total=study.network_steps(), unit="step", unit_scale=True, disable=None) as bar,
    ):

        def move(unit: Unit) -> None:
            bar.set_postfix_str(f"best {study.journal.lowest():.4f}", refresh=False)
            bar.update(len(unit.jobs) * (unit.end - unit.start))

        complete = study.run(move, lambda: interruption)
    if not complete:
        print(f"{options.out}: interrupted; --resume continues the search", file=sys.stderr)
        return interruption.status
    sweep_closing.close(options, space, study, folder, time.perf_counter() - started)
    return 0


if __name__ == "__main__":
    main("experiments.sweep", Options, program)
