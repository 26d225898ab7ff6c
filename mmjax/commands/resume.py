"""Resuming a run: where it starts, and whether it is the same run."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmjax.cli.options import flat
from mmjax.commands.train_options import Options
from mmjax.commands.training import new_best
from mmjax.errors import InputError, require
from mmjax.io.text import shown
from mmjax.models import mlp
from mmjax.runs.environment import environment
from mmjax.runs.layout import CONFIG, SUMMARY, plain
from mmjax.runs.lists import Lists
from mmjax.runs.reading import read_config
from mmjax.runs.rotation import BEST, Checkpoints
from mmjax.runs.saver import Start, best_of, progress_of


def started(
    options: Options, model: mlp.MLP, lists: Lists, checkpoints: Checkpoints
) -> Start | None:
    """Return where to resume the run in the run folder, or None to start from scratch.

    Raises `InputError` if there is no run, if all of its checkpoints are damaged, if it was trained
    with other options or on another list, or if it has passed the number of steps to train.
    """
    path = options.out
    saved = checkpoints.load()
    if saved is None:
        require(
            (path / CONFIG).exists() and not (path / SUMMARY).exists(),
            f"{path}: holds no checkpoint to resume from; start without --resume",
        )
        require_same(read_config(path), options, path)
        print(
            f"{path}: stopped before its first checkpoint; starting from the beginning",
            file=sys.stderr,
        )
        return None
    noted = saved.notes.get("options")
    theirs = noted.get("names") if isinstance(noted, dict) else None
    before = "" if theirs is None else f", {theirs} as it was then"
    require(
        saved.names == lists.checksum,
        f"{checkpoints.folder}: was trained on another list{before}; give that list, or start a new run on "
        f"{options.name_list.names} from its weights with --init-from {path} and another --out",
    )
    require_same(noted if isinstance(noted, dict) else {}, options, checkpoints.folder)
    progress = progress_of(saved.notes.get("progress"), options.seeds)
    best = best_of(saved.notes.get("best"), new_best(options.recipe), options.seeds, checkpoints)
    recipe = replace(saved.recipe, steps=options.recipe.steps)
    if (
        progress is None
        or best is None
        or (saved.model, saved.vocab) != (model, lists.vocab)
        or recipe != options.recipe.plain()
        or saved.state.step.shape != (() if options.seeds == 1 else (options.seeds,))
        or bool((saved.state.step != progress.step).any())
    ):
        raise InputError(
            f"{checkpoints.folder}: the state and the recorded options of the last checkpoint differ; "
            "start over with --overwrite"
        )
    require(
        progress.step <= options.recipe.steps,
        f"{checkpoints.folder}: is already at step {progress.step:,}; give --steps {progress.step} or more",
    )
    now = environment()
    others = [
        f"{name} {saved.notes[name]} there, {value} here"
        for name, value in now.items()
        if saved.notes.get(name, value) != value
    ]
    if others:
        print(
            shown(f"{path}: resumes with {'; '.join(others)}: the same result up to rounding only"),
            file=sys.stderr,
        )
    return Start(saved.state, progress, best)


@contextmanager
def mention(checkpoints: Checkpoints) -> Iterator[None]:
    """Tell where the run can be resumed when the block fails.

    An `InputError` or a Ctrl-C within the block gets this added to its message.
    """

    def where() -> str:
        there = [path for path in checkpoints.paths() if path.name != BEST]
        step = f"step {int(there[0].stem.partition('-')[2]):,}" if there else "the start"
        return f"--resume continues from {step}"

    try:
        yield
    except InputError as error:
        raise InputError(f"{error}; once that is fixed, {where()}") from None
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"; {where()}") from None


def require_same(saved: Mapping[str, Any], options: Options, where: Path) -> None:
    """Raise `InputError` if options that must stay the same differ.

    `saved` are the run's options, `options` the new ones; those marked `free` may differ. The
    message names those that differ, and the folder `where`.
    """
    free = {field.name for field in flat(type(options)) if field.metadata.get("free")}
    given = plain(options)
    different = [
        f"--{name.replace('_', '-')} {saved.get(name)}, not {given.get(name)}"
        for name in {"recipe": None, **saved, **given}
        if name not in free and saved.get(name) != given.get(name)
    ]
    require(
        not different,
        f"{where}: was trained with {'; '.join(different)}; give the same options, or another --out",
    )
