"""The multi-layer perceptron with BatchNorm: `python -m experiments.mlp --help`."""

import dataclasses
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
import tyro

from experiments import footprint, inside, report, seeds_together, training
from experiments.checkpoints import BEST, Checkpoints, require_same
from experiments.program import (
    Interruption,
    NameList,
    Table,
    a_device_for_each_core,
    chosen,
    interruptible,
    main,
    sample_lines,
    shown,
    split_with_unseen,
)
from experiments.run_folder import (
    CONFIG,
    MEMBER,
    SUMMARY,
    RunFolder,
    claimed,
    plain,
    read_config,
    read_metrics,
    surroundings,
)
from experiments.training import Progress, Training, training_data
from mmjax import (
    InputError,
    Predictor,
    Vocab,
    checkpoint,
    corpus,
    counts,
    diagnostics,
    evaluate,
    mlp,
    sample,
    train,
    vocab,
)
from mmjax.checkpoint import Checkpoint
from mmjax.errors import require, require_ranges
from mmjax.model import parameter_count

CHECKED_SAMPLES = 20_000
SHOWN_SAMPLES = 20


@dataclass(frozen=True)
class Model(mlp.Config):
    """The network; the defaults are the document's, with 47,351 parameters for 26 letters."""

    vocab_size: tyro.conf.Suppress[int] = 27  # follows from the list


RecipeName = Literal["document", "fast"]


@dataclass(frozen=True)
class Document(train.Config):
    """The document's recipe."""

    recipe: RecipeName = "document"
    """document: SGD with step decay, as in the lecture. fast: NAdamW on the distinct contexts of the list, seconds
    instead of a minute; its own settings: --recipe fast --help."""


@dataclass(frozen=True)
class Fast(train.Fast):
    """The fast recipe."""

    recipe: RecipeName = "fast"
    """document: SGD with step decay, as in the lecture. fast: NAdamW on the distinct contexts of the list."""


@dataclass(frozen=True)
class Options:
    """Train the MLP on a list of names, hold it against counting, and draw new names from it.

    Leaves its figures, samples and weights in the run folder. Ctrl-C ends the training early and keeps
    what was trained.
    """

    name_list: NameList
    recipe: Document | Fast
    model: Model
    config: Path | None = None
    """Take the options, but for --out, from this file, a run's config.json; those on the command line go before it."""
    out: Path = Path("runs/mlp")
    """The run folder; an earlier run in it is overwritten, if it has come to its end."""
    resume: bool = False
    """Go on from the run folder's last checkpoint, with the same options; --steps may be more."""
    overwrite: bool = False
    """Start over in the run folder of a run that has not come to its end."""
    keep: int = 3
    """How many checkpoints to keep, the last ones; the best one by validation loss is kept besides."""
    seed: int = 0
    """Seed of the initial weights, the batches and the samples."""
    seeds: int = 1
    """Train as many networks side by side, of this seed and the next ones, and show mean and spread."""
    split_seed: int = 42
    """Seed of the shuffles before the list is split 80 : 10 : 10."""
    shuffles: int = 2
    """How often it is shuffled: 2 gives the document's split, 1 that of the lecture's later parts."""
    watch: bool = True
    """Record update ratios of every step and saturation; costs a fifteenth of the training time."""
    calibrate: bool = False
    """After training, recompute BatchNorm's statistics over the whole training part."""
    report: bool = True
    """Write report.html and its pictures, of each seed; takes a few seconds each."""

    def __post_init__(self):
        require_ranges(
            self,
            seed=(0, 2**32 - 1),
            seeds=(1, 1_000),
            keep=(1, 1_000_000),
            split_seed=(0, 2**63 - 1),
            shuffles=(0, 1_000),
        )
        require(
            not (self.resume and self.overwrite),
            "--resume goes on with a run and --overwrite starts over; give one of them",
        )
        require(
            self.seed + self.seeds <= 2**32,
            f"--seeds {self.seeds} from --seed {self.seed} on go beyond the last seed, {2**32 - 1}; give a lower --seed",
        )


def of_kind(recipe: type[Document | Fast]) -> type[Options]:
    """The options with one recipe's settings among them."""
    added = [("recipe", recipe)]
    return dataclasses.make_dataclass(
        "Options", added, bases=(Options,), frozen=True, namespace={"__doc__": Options.__doc__}
    )


def of_recipe(arguments: Sequence[str]) -> type[Options]:
    """The options that belong to the recipe on a command line; what is wrong there is for others to say."""
    return of_kind(Fast if chosen("recipe", arguments) == "fast" else Document)


class Data(NamedTuple):
    """The list, and its parts as names, as flat arrays of tokens and as tables of bigram counts."""

    names: list[str]
    vocab: Vocab
    parts: dict[str, list[str]]
    tokens: dict[str, np.ndarray]
    tables: dict[str, np.ndarray]


class Finished(NamedTuple):
    """A trained network with what was found out about it."""

    predictor: Predictor
    training: Training
    losses: dict[str, float]
    check: evaluate.CountCheck
    samples: list[str]
    seen: inside.Inside
    findings: list[diagnostics.Finding]
    figures: dict[str, Any]


def program(
    options: Options, on_metrics: Callable[[dict[str, float]], object] | None = None
) -> int:
    """Train, evaluate, check against counting, sample, save and show; the exit status.

    `on_metrics` is given each line of `metrics.jsonl` as it is written; of several seeds it is their mean.
    """
    if options.seeds > 1:
        a_device_for_each_core(options.seeds)
    data = read(options)
    options = replace(options, model=replace(options.model, vocab_size=data.vocab.size))
    footprint.require_room(mlp.Config(**asdict(options.model)), options.recipe, options.seeds)
    require(
        not options.resume or options.out.is_dir(),
        f"{options.out}: is no run folder to go on with; start without --resume",
    )
    with claimed(options.out):
        return run(options, data, on_metrics)


def run(
    options: Options, data: Data, on_metrics: Callable[[dict[str, float]], object] | None
) -> int:
    """The program once its list is read and its run folder its own."""
    config = mlp.Config(**asdict(options.model))
    checkpoints = Checkpoints(options.out, options.keep)
    start = started(options, config, data, checkpoints) if options.resume else None
    folder = RunFolder(
        options.out,
        options,
        resume=start is not None,
        overwrite=options.overwrite or options.resume,
    )
    seeds = range(options.seed, options.seed + options.seeds)
    folders = {options.seed: folder}
    if options.seeds > 1:
        folders = {seed: member_folder(options, seed, start is not None) for seed in seeds}
    written = [folder, *(folders.values() if options.seeds > 1 else [])]
    if start:
        for one in written:
            one.cut_metrics(start[1].step)

    def log(records: list[dict[str, float]]) -> None:
        for seed, record in zip(seeds, records, strict=True):
            folders[seed].add_metrics(record)
        together = seeds_together.mean_of(records)
        if options.seeds > 1:
            folder.add_metrics(together)
        if on_metrics:
            on_metrics(together)

    names = checkpoint.checksum(data.names)

    def keep(states: train.TrainState, progress: Progress, best: bool) -> None:
        for one in written:  # on the disk before the checkpoint that counts on them
            one.sync_metrics()
        notes = {"progress": progress._asdict(), "options": plain(options)} | surroundings()
        saved = Checkpoint(mlp, config, options.recipe, data.vocab, names, states, notes)
        checkpoints.save(saved, progress.step, best=best)

    examples = training_data(config, options.recipe, data.tokens["train"])
    with mention(checkpoints):
        with interruptible() as interruption:
            fitted = training.fit(
                *(config, options.recipe, seeds, examples, data.tokens["val"], log, interruption),
                watch=options.watch,
                keep=keep,
                start=start,
            )
        runs = {
            seed: finish(replace(options, seed=seed), config, data, examples, folders[seed], *fit)
            for seed, fit in zip(seeds, fitted, strict=True)
        }
        conclude(options, data, folder, folders, runs)
    return status_of(options, runs, interruption)


def conclude(
    options: Options,
    data: Data,
    folder: RunFolder,
    folders: Mapping[int, RunFolder],
    runs: Mapping[int, Finished],
) -> None:
    """Print what the runs have come to, and write the reports."""
    first = runs[options.seed]
    print(heading(options, data, first))
    if options.seeds > 1:
        seeds_together.show(folder, {f"{MEMBER}{seed}": run.figures for seed, run in runs.items()})
    else:
        show(data, first)
    if options.report:
        for seed, run in runs.items():
            path = folders[seed].path
            made = report.of_mlp(
                path, run.predictor, data.vocab, data.tokens, run.seen, run.findings
            )
            report.write(made, path)
    print(f"\n{folder.contents()}")


def status_of(options: Options, runs: Mapping[int, Finished], interruption: Interruption) -> int:
    """The exit status, and on standard error why it is not 0."""
    stopped = {
        seed: run.training for seed, run in runs.items() if run.training.stopped_at is not None
    }
    for seed, (steps, *_, stopped_at, began_in) in stopped.items():
        of_seed = f" of seed {seed}" if options.seeds > 1 else ""
        print(
            f"experiments.mlp: the loss of step {stopped_at:,}{of_seed} is no finite number; it began in {began_in}; stopped "
            f"and kept the state of step {steps:,}; {REMEDY}",
            file=sys.stderr,
        )
    steps = runs[options.seed].training.steps
    if interruption and steps < options.recipe.steps:
        print(
            f"experiments.mlp: stopped at step {steps:,} of {options.recipe.steps:,}; the same command with --resume "
            "goes on from there",
            file=sys.stderr,
        )
    return 1 if stopped else interruption.status


REMEDY = "start over with a lower --learning-rate, a tenth say"


@contextmanager
def mention(checkpoints: Checkpoints) -> Iterator[None]:
    """Within the block, an `InputError` and a Ctrl-C also say from where the run can be gone on with."""

    def where() -> str:
        there = [path for path in checkpoints.paths() if path.name != BEST]
        step = f"step {int(there[0].stem.partition('-')[2]):,}" if there else "the start"
        return f"--resume goes on from {step}"

    try:
        yield
    except InputError as error:
        raise InputError(f"{error}; once that is mended, {where()}") from None
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"; {where()}") from None


def started(
    options: Options, config: mlp.Config, data: Data, checkpoints: Checkpoints
) -> tuple[train.TrainState, Progress] | None:
    """Where the run folder's run is to be gone on from; None if that is the beginning.

    Raises `InputError` if there is no run or none of its checkpoints is whole, it was made with other options or from another list, or
    has come further than it is to go.
    """
    path, given = options.out, plain(options)
    saved = checkpoints.load()
    if saved is None:
        require(
            (path / CONFIG).exists() and not (path / SUMMARY).exists(),
            f"{path}: holds no checkpoint to go on from; start without --resume",
        )
        require_same(read_config(path), given, path)
        print(f"{path}: was stopped before its first checkpoint; starting", file=sys.stderr)
        return None
    require(
        saved.names == checkpoint.checksum(data.names),
        f"{checkpoints.folder}: was trained on another list than {options.name_list.names}; give that one",
    )
    noted = saved.notes.get("options")
    require_same(noted if isinstance(noted, dict) else {}, given, checkpoints.folder)
    progress = Progress.of(saved.notes.get("progress"), options.seeds)
    recipe = replace(saved.recipe, steps=options.recipe.steps)
    if (
        progress is None
        or (saved.model, saved.config, saved.vocab) != (mlp, config, data.vocab)
        or any(getattr(recipe, f.name) != getattr(options.recipe, f.name) for f in fields(recipe))
        or saved.state.step.shape != (() if options.seeds == 1 else (options.seeds,))
        or bool((saved.state.step != progress.step).any())
    ):
        raise InputError(
            f"{checkpoints.folder}: the last checkpoint is of another run than its own notes say; "
            "start over with --overwrite"
        )
    require(
        progress.step <= options.recipe.steps,
        f"{checkpoints.folder}: has come to step {progress.step:,} already; give --steps {progress.step} or more",
    )
    now = surroundings()
    others = [
        f"{name} {saved.notes[name]} there, {value} here"
        for name, value in now.items()
        if saved.notes.get(name, value) != value
    ]
    if others:
        print(
            shown(
                f"{path}: goes on with {'; '.join(others)}: the same run to rounding, not to the bit"
            ),
            file=sys.stderr,
        )
    return saved.state, progress


def member_folder(options: Options, seed: int, resume: bool) -> RunFolder:
    """The folder of one seed of several: the same as if it had been trained alone, but for the checkpoints."""
    out = options.out / f"{MEMBER}{seed}"
    return RunFolder(
        out, replace(options, seed=seed, seeds=1, out=out), resume=resume, overwrite=True
    )


def finish(
    options: Options,
    config: mlp.Config,
    data: Data,
    examples: train.Data,
    folder: RunFolder,
    state: train.TrainState,
    training: Training,
) -> Finished:
    """Save, evaluate, check against counting, sample and look inside."""
    predictor = Predictor(mlp, config, state.params, state.stats)
    if options.calibrate:
        predictor = evaluate.calibrate(predictor, data.tokens["train"])
    folder.write_model(predictor, data.vocab)

    sample_key = jax.random.key(options.seed)
    samples = list(islice(sample.stream(predictor, data.vocab, sample_key), CHECKED_SAMPLES))
    sampled = corpus.encode(data.vocab, [name for name, _ in samples])
    check = evaluate.count_check(predictor, data.tokens["train"], sampled)
    losses = {part: evaluate.loss(predictor, tokens) for part, tokens in data.tokens.items()}
    seen = inside.look(config, options.recipe, state, examples)
    figures = {
        "names": len(data.names),
        "parameters": parameter_count(predictor.params),
        **{f"examples_{part}": len(data.tokens[part]) - 1 for part in ("train", "val", "test")},
        "steps": training.steps,
        "stopped_at_step": training.stopped_at,
        "stopped_in": training.began_in,
        "initial_loss": training.initial_loss,
        "final_loss": training.final_loss,
        **{f"loss_{part}": loss for part, loss in losses.items()},
        "perplexity_val": evaluate.perplexity(losses["val"]),
        "bigram_check_kl": check.kl_predicted,
        "bigram_check_kl_sampled": check.kl_sampled,
        "bigram_check_passed": check.passed,
        "training_seconds": round(training.seconds, 3),
        "steps_per_second": round(training.steps / training.seconds, 1) if training.steps else None,
    }
    findings = inside.findings(seen, read_metrics(folder.path), figures)
    figures["findings"] = [f"{finding.symptom}: {finding.where}" for finding in findings]
    folder.write_summary(figures)
    lines = sample_lines(samples[:SHOWN_SAMPLES], frozenset(data.names))
    folder.write_samples(lines)
    return Finished(predictor, training, losses, check, lines, seen, findings, figures)


def read(options: Options) -> Data:
    """Read, split and encode the list. Raises `InputError` if any of it cannot be done."""
    names = options.name_list.read()
    letters = vocab.build(names)
    parts = split_with_unseen(names, seed=options.split_seed, shuffles=options.shuffles)
    tokens = {part: corpus.encode(letters, names) for part, names in parts.items()}
    tables = {part: counts.bigrams(flat, letters.size) for part, flat in tokens.items()}
    return Data(names, letters, parts, tokens, tables)


def heading(options: Options, data: Data, run: Finished) -> str:
    """What was trained, on what and for how long."""
    size = data.vocab.size
    steps, seconds, initial_loss, *_ = run.training
    each = f" for each of {options.seeds} seeds" if options.seeds > 1 else ""
    first = (
        ""
        if initial_loss is None
        else f", first loss {initial_loss:.4f} (ln {size} = {math.log(size):.4f})"
    )
    return (
        f"{options.name_list.names}: {len(data.names):,} names of {size} tokens; "
        f"{parameter_count(run.predictor.params):,} parameters\n"
        f"{steps:,} of {options.recipe.steps:,} steps{each} in {seconds:.1f} s{first}\n"
    )


def show(data: Data, run: Finished) -> None:
    """Print the closing tables of one network."""
    smoothed = counts.probabilities(data.tables["train"], smoothing=1)
    rows = [
        (
            part.replace("_", ", "),
            len(data.parts[part]),
            len(tokens) - 1,
            run.losses[part],
            evaluate.perplexity(run.losses[part]),
            counts.nll(smoothed, data.tables[part]),
        )
        for part, tokens in data.tokens.items()
    ]
    print(Table(["part", "names", "examples", "loss", "perplexity", "bigram +1"], rows))
    check = run.check
    verdict = "agrees with counting" if check.passed else "DOES NOT AGREE WITH COUNTING"
    print(
        "\nLoss in nats a letter with running statistics; unseen: names not in the training part;"
        "\nbigram +1: the loss of counting letter pairs in the training part.\n"
        f"\nBigrams against the training part's table: KL {check.kl_predicted:.4f} nats predicted, "
        f"{check.kl_sampled:.4f} in {CHECKED_SAMPLES:,} samples"
        f"\n(sound below {evaluate.MAX_KL}): {verdict}.\n"
    )
    print("\n".join(run.samples).expandtabs(24))
    print(f"\n{inside.health_lines(run.findings)}")


if __name__ == "__main__":
    main("experiments.mlp", of_recipe, program)
