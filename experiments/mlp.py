"""The multi-layer perceptron with BatchNorm: `python -m experiments.mlp --help`."""

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from itertools import islice
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments import footprint, inside, report, resume, seeds_together, training
from experiments.checkpoints import Checkpoints
from experiments.mlp_options import Options, of_recipe
from experiments.program import (
    Interruption,
    Table,
    a_device_for_each_core,
    interruptible,
    main,
    sample_lines,
    split_with_unseen,
)
from experiments.run_folder import (
    MEMBER,
    RunFolder,
    claimed,
    plain,
    read_metrics,
    surroundings,
)
from experiments.training import Progress, Training, training_data
from mmjax import (
    Predictor,
    Vocab,
    batches,
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
from mmjax.errors import require
from mmjax.model import parameter_count

CHECKED_SAMPLES = 20_000
SHOWN_SAMPLES = 20


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
    footprint.require_room(mlp.MLP(**asdict(options.model)), options.recipe, options.seeds)
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
    config = mlp.MLP(**asdict(options.model))
    checkpoints = Checkpoints(options.out, options.keep)
    start = (
        resume.started(options, config, data.names, data.vocab, checkpoints)
        if options.resume
        else None
    )
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
        saved = Checkpoint(config, options.recipe, data.vocab, names, states, notes)
        checkpoints.save(saved, progress.step, best=best)

    examples = training_data(config, options.recipe, data.tokens["train"])
    with resume.mention(checkpoints):
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


def member_folder(options: Options, seed: int, resume: bool) -> RunFolder:
    """The folder of one seed of several: the same as if it had been trained alone, but for the checkpoints."""
    out = options.out / f"{MEMBER}{seed}"
    return RunFolder(
        out, replace(options, seed=seed, seeds=1, out=out), resume=resume, overwrite=True
    )


def finish(
    options: Options,
    config: mlp.MLP,
    data: Data,
    examples: batches.Data,
    folder: RunFolder,
    state: train.TrainState,
    training: Training,
) -> Finished:
    """Save, evaluate, check against counting, sample and look inside."""
    predictor = Predictor(config, state.params, state.stats)
    if options.calibrate:
        predictor = evaluate.calibrate(predictor, data.tokens["train"])
    folder.write_model(predictor, data.vocab)

    sample_key = jax.random.key(options.seed)
    samples = list(islice(sample.stream(predictor, data.vocab, sample_key), CHECKED_SAMPLES))
    sampled = corpus.encode(data.vocab, [name for name, _ in samples])
    check = evaluate.count_check(predictor, data.tokens["train"], sampled, data.tokens["val"])
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
        "bigram_check_kl_reference": check.kl_reference,
        "bigram_check_kl_val": check.kl_val,
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
        f"\n(sound below {evaluate.MAX_KL}, sampled below {evaluate.MAX_KL + check.kl_reference:.4f} for the noise of "
        f"a sample): {verdict}.\nOf the validation part's table: KL {check.kl_val:.4f} nats predicted.\n"
    )
    print("\n".join(run.samples).expandtabs(24))
    print(f"\n{inside.health_lines(run.findings)}")


if __name__ == "__main__":
    main("experiments.mlp", of_recipe, program)
