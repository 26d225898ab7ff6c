"""Train with settings that follow the list: the recipe `auto`."""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import cast

import jax
import numpy as np

from mmjax.cli.devices import a_device_for_each_core
from mmjax.cli.interruption import Interruption, interruptible
from mmjax.cli.progress import progress_bar
from mmjax.commands import auto_closing, init_from
from mmjax.commands.auto_options import AutoOptions
from mmjax.counting import fitting
from mmjax.data import vocab
from mmjax.data.vocab import Vocab
from mmjax.errors import require
from mmjax.generate import sample
from mmjax.model import Predictor
from mmjax.models import mlp
from mmjax.runs import lists
from mmjax.runs.folder import RunFolder, claimed
from mmjax.runs.layout import plain
from mmjax.runs.lists import Lists
from mmjax.runs.verdict import JUDGED
from mmjax.search import auto
from mmjax.search.auto import Candidate, Kind

LONGEST = 10  # characters of a run's name in the table of candidates


def program(options: AutoOptions) -> int:
    """Try the candidates on every list, save and show the best; return the exit status."""
    a_device_for_each_core(2)  # networks are trained in pairs
    paths = options.name_list.paths
    read = [replace(options.name_list, names=path).split() for path in paths]
    letters = letters_of([split.names for split in read], paths)
    known = [lists.encode(split, letters) for split in read]
    jax.devices()  # without a device, fail here, before anything is written
    path = options.init_from
    more = [continued(path, each) if path else [] for each in known]
    with claimed(options.out):
        return run(options, known, more)


def letters_of(read: Sequence[Sequence[str]], paths: Sequence[Path]) -> Vocab:
    """Return the vocabulary of all lists.

    Raises `InputError` if a list has no character of the first one.
    """
    first = vocab.build(read[0])
    for names, path in zip(read[1:], paths[1:], strict=True):
        require(
            bool(set(first.characters) & set(vocab.build(names).characters)),
            f"{path}: has no character of {paths[0]}; blend lists in the same script",
        )
    return vocab.build(name for names in read for name in names)


def run(options: AutoOptions, known: Sequence[Lists], more: Sequence[Sequence[Kind]]) -> int:
    """Run the program after it has read the lists and claimed the run folder."""
    started = time.perf_counter()
    folder = RunFolder(options.out, options, overwrite=options.overwrite)
    with interruptible() as interruption:
        tried = [
            candidates_of(*each, options, interruption)
            for each in zip(known, options.name_list.paths, more, strict=True)
        ]
    model = blend([candidates[0].predictor for candidates in tried], options.name_list.weights)
    folder.write_model(model, known[0].vocab)
    drawn = sample.stream(model, known[0].vocab, jax.random.key(options.seed))
    samples = list(islice((each for each in drawn if each.name), JUDGED))
    result = auto_closing.result_of(
        model, tried, known, samples, plain(options), started, interrupted=bool(interruption)
    )
    folder.write_samples(result.samples)
    folder.write_summary(result.figures)
    auto_closing.show(result)
    if options.report:
        auto_closing.write_pages(result, known, folder.path)
    print(f"\n{folder.contents()}")
    return interruption.status


def candidates_of(
    known: Lists,
    path: Path,
    more: Sequence[Kind],
    options: AutoOptions,
    interruption: Interruption,
) -> list[Candidate]:
    """Return the candidates for a list, the best first, and print each as it is ready.

    `more` are networks to try besides the usual ones.
    """
    print(f"{path}: {len(known.names):,} names, {known.vocab.size} tokens")
    print(
        f"{'candidate':34}{'loss, validation':>18}{'parameters':>12}{'seconds':>9}  best step of those trained"
    )
    return auto.search(
        *(known, options.seed),
        steps=options.steps or None,
        more=more,
        show=lambda candidate: print(auto_closing.line_of(candidate), flush=True),
        bar=lambda kind: progress_bar(kind.recipe, None, kind.name),
        stops=[interruption.stop],
    )


def continued(path: Path, known: Lists) -> list[Kind]:
    """Return the networks of another run, as networks to train further on this list."""
    run = path.name if path.is_dir() else path.absolute().parent.name
    run = run if len(run) <= LONGEST else f"{run[: LONGEST - 1]}…"
    kinds = []
    sources = init_from.sources(path, known.vocab)
    for i, source in enumerate(sources, 1):
        model = cast(mlp.MLP, source.network.model)
        model = replace(model, vocab_size=known.vocab.size)
        name = f"from {run} {i}" if len(sources) > 1 else f"from {run}"
        kinds.append(auto.further(name, model, known, partial(source.start, model=model)))
    return kinds


def blend(models: Sequence[Predictor], weights: Sequence[float]) -> Predictor:
    """Return the geometric mixture of the models, or the only one.

    `weights` are relative. If there are none, all models count the same.
    """
    if len(models) == 1:
        return models[0]
    given = np.asarray(weights or [1.0] * len(models))
    return fitting.mixture("geometric", models, (given / given.sum())[None, :])
