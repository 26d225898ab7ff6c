"""The multi-layer perceptron with BatchNorm: `python -m experiments.mlp --help`."""

import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from tqdm import tqdm

from experiments import inside, report
from experiments.program import (
    Interruption,
    NameList,
    Table,
    interruptible,
    main,
    sample_lines,
    split_with_unseen,
)
from experiments.run_folder import RunFolder, read_metrics
from mmjax import Predictor, Vocab, corpus, counts, diagnostics, evaluate, mlp, sample, train, vocab
from mmjax.errors import require_ranges
from mmjax.model import parameter_count

LOG_STEPS = (
    1_000  # steps between two lines of metrics; of a shorter run than 50 of these the fiftieth part
)
CHUNKS_TO_VALIDATION = 10
CHECKED_SAMPLES = 20_000
SHOWN_SAMPLES = 20
FINAL = 100  # steps whose mean is the final loss


@dataclass(frozen=True)
class Model(mlp.Config):
    """The network; the defaults are the document's, with 47,351 parameters for 26 letters."""

    vocab_size: tyro.conf.Suppress[int] = 27  # follows from the list


@dataclass(frozen=True)
class Options:
    """Train the MLP on a list of names, hold it against counting, and draw new names from it.

    Leaves its figures, samples and weights in the run folder. Ctrl-C ends the training early and keeps
    what was trained.
    """

    name_list: NameList
    recipe: train.Config
    model: Model
    out: Path = Path("runs/mlp")
    """The run folder; an earlier run in it is overwritten."""
    seed: int = 0
    """Seed of the initial weights, the batches and the samples."""
    split_seed: int = 42
    """Seed of the shuffles before the list is split 80 : 10 : 10."""
    shuffles: int = 2
    """How often it is shuffled: 2 gives the document's split, 1 that of the lecture's later parts."""
    watch: bool = True
    """Record update ratios of every step and saturation; costs a fifteenth of the training time."""
    calibrate: bool = False
    """After training, recompute BatchNorm's statistics over the whole training part."""
    report: bool = True
    """Write report.html and its pictures; takes a few seconds."""

    def __post_init__(self):
        require_ranges(self, seed=(0, 2**32 - 1), split_seed=(0, 2**63 - 1), shuffles=(0, 1_000))


class Data(NamedTuple):
    """The list, and its parts as names, as flat arrays of tokens and as tables of bigram counts."""

    names: list[str]
    vocab: Vocab
    parts: dict[str, list[str]]
    tokens: dict[str, np.ndarray]
    tables: dict[str, np.ndarray]


class Training(NamedTuple):
    """What training was like; `seconds` include the compilation, not the validation."""

    steps: int
    seconds: float
    initial_loss: float | None
    final_loss: float | None
    stopped_at: int | None
    """The step whose loss was no number, after which the last good state was kept."""


def program(
    options: Options, on_metrics: Callable[[dict[str, float]], object] | None = None
) -> int:
    """Train, evaluate, check against counting, sample, save and show; the exit status.

    `on_metrics` is given each line of `metrics.jsonl` as it is written.
    """
    data = read(options)
    options = replace(options, model=replace(options.model, vocab_size=data.vocab.size))
    config = mlp.Config(**asdict(options.model))
    folder = RunFolder(options.out, options)

    def log(record: dict[str, float]) -> None:
        folder.add_metrics(record)
        if on_metrics:
            on_metrics(record)

    with interruptible() as interruption:
        state, training = fit(options, config, data, log, interruption)
    predictor = Predictor(mlp, config, state.params, state.stats)
    if options.calibrate:
        predictor = evaluate.calibrate(predictor, data.tokens["train"])
    folder.write_model(predictor, data.vocab)

    sample_key = jax.random.key(options.seed)
    samples = list(islice(sample.stream(predictor, data.vocab, sample_key), CHECKED_SAMPLES))
    sampled = corpus.encode(data.vocab, [name for name, _ in samples])
    check = evaluate.count_check(predictor, data.tokens["train"], sampled)
    losses = {part: evaluate.loss(predictor, tokens) for part, tokens in data.tokens.items()}
    seen = inside.look(config, options.recipe, state, data.tokens["train"])
    figures = {
        "names": len(data.names),
        "parameters": parameter_count(predictor.params),
        **{f"examples_{part}": len(data.tokens[part]) - 1 for part in ("train", "val", "test")},
        "steps": training.steps,
        "stopped_at_step": training.stopped_at,
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
    findings = inside.findings(seen, read_metrics(options.out), figures)
    figures["findings"] = [f"{finding.symptom}: {finding.where}" for finding in findings]
    folder.write_summary(figures)
    lines = sample_lines(samples[:SHOWN_SAMPLES], frozenset(data.names))
    folder.write_samples(lines)
    show(options, data, predictor, training, losses, check, lines)
    print(f"\n{inside.health_lines(findings)}")
    if options.report:
        made = report.of_mlp(options.out, predictor, data.vocab, data.tokens, seen, findings)
        report.write(made, options.out)
    print(f"\n{folder.contents()}")
    if training.stopped_at is not None:
        print(
            f"experiments.mlp: the loss of step {training.stopped_at:,} is no finite number; stopped and kept "
            f"the state of step {training.steps:,}; lower the learning rate",
            file=sys.stderr,
        )
        return 1
    return interruption.status


def read(options: Options) -> Data:
    """Read, split and encode the list. Raises `InputError` if any of it cannot be done."""
    names = options.name_list.read()
    letters = vocab.build(names)
    parts = split_with_unseen(names, seed=options.split_seed, shuffles=options.shuffles)
    tokens = {part: corpus.encode(letters, names) for part, names in parts.items()}
    tables = {part: counts.bigrams(flat, letters.size) for part, flat in tokens.items()}
    return Data(names, letters, parts, tokens, tables)


def fit(
    options: Options,
    config: mlp.Config,
    data: Data,
    log: Callable[[dict[str, float]], object],
    interruption: Interruption,
) -> tuple[train.TrainState, Training]:
    """Train chunk by chunk, logging each, until the last step, an interruption or a loss that is no number."""
    recipe = options.recipe
    schedule = train.step_decay(recipe)
    state = train.init(mlp, config, recipe, jax.random.key(options.seed))
    tokens = jnp.asarray(data.tokens["train"])
    some = inside.next_contexts(config, state, tokens)
    done, seconds, initial_loss, final_loss, stopped_at = 0, 0.0, None, None, None
    ratios, shown = {}, {}
    chunk = 2 * max(1, min(LOG_STEPS, recipe.steps // 50) // 2)  # even, see train.advance
    with tqdm(total=recipe.steps, unit="step", unit_scale=True, disable=None) as progress:
        while done < recipe.steps and not interruption:
            size = min(chunk, recipe.steps - done)
            good = copied(state)
            started = time.perf_counter()
            if options.watch:
                state, (losses, said) = train.watch(
                    mlp, config, recipe, state, tokens, diagnostics.update_ratios, steps=size
                )
                ratios = {name: float(np.mean(ratio)) for name, ratio in said.items()}
            else:
                state, losses = train.advance(mlp, config, recipe, state, tokens, steps=size)
            losses = np.asarray(losses)
            seconds += time.perf_counter() - started
            if done == 0:
                initial_loss = float(losses[0])
            final_loss = float(losses[-FINAL:].mean())
            if not (np.isfinite(losses).all() and finite(state.params)):
                bad = np.flatnonzero(~np.isfinite(losses))
                state, stopped_at = good, done + int(bad[0] if len(bad) else size)
                final_loss = math.nan
                break
            done += size
            record = {
                "step": done,
                "seconds": round(seconds, 3),
                "lr": float(f"{schedule(done - 1):.6g}"),
                "loss_train": float(losses.mean()),
                "loss_low": float(losses.min()),
                "loss_high": float(losses.max()),
            }
            if options.watch:
                # jit hands dicts back sorted by name; here they are in the order of the network.
                weights = diagnostics.weights(state.params)
                record |= {f"update_ratio/{name}": ratios[name] for name in weights}
                outputs = inside.outputs_of(config, state.params, state.stats, some)
                record |= {
                    f"saturation/{name}": diagnostics.saturation(outputs[name])
                    for name in mlp.layer_names(config)
                    if name in outputs
                }
            if done % (chunk * CHUNKS_TO_VALIDATION) == 0:
                now = Predictor(mlp, config, state.params, state.stats)
                record["loss_val"] = evaluate.loss(now, data.tokens["val"])
                shown["val"] = f"{record['loss_val']:.4f}"
            log(record)
            shown["loss"] = f"{losses.mean():.4f}"
            progress.set_postfix(shown, refresh=False)
            progress.update(size)
    return state, Training(done, seconds, initial_loss, final_loss, stopped_at)


@jax.jit
def copied(state: train.TrainState) -> train.TrainState:
    """The same state in memory of its own, so that the first can be donated."""
    return jax.tree.map(jnp.copy, state)


def finite(tree: object) -> bool:
    """Whether every number in a tree is finite."""
    return all(bool(np.isfinite(np.asarray(leaf)).all()) for leaf in jax.tree.leaves(tree))


def show(
    options: Options,
    data: Data,
    predictor: Predictor,
    training: Training,
    losses: dict[str, float],
    check: evaluate.CountCheck,
    lines: list[str],
) -> None:
    """Print the closing tables."""
    size = data.vocab.size
    smoothed = counts.probabilities(data.tables["train"], smoothing=1)
    print(
        f"{options.name_list.names}: {len(data.names):,} names of {size} tokens; "
        f"{parameter_count(predictor.params):,} parameters\n"
        f"{training.steps:,} of {options.recipe.steps:,} steps in {training.seconds:.1f} s"
        + (
            f", first loss {training.initial_loss:.4f} (ln {size} = {math.log(size):.4f})"
            if training.initial_loss is not None
            else ""
        )
        + "\n"
    )
    rows = [
        (
            part.replace("_", ", "),
            len(data.parts[part]),
            len(tokens) - 1,
            losses[part],
            evaluate.perplexity(losses[part]),
            counts.nll(smoothed, data.tables[part]),
        )
        for part, tokens in data.tokens.items()
    ]
    print(Table(["part", "names", "examples", "loss", "perplexity", "bigram +1"], rows))
    verdict = "agrees with counting" if check.passed else "DOES NOT AGREE WITH COUNTING"
    print(
        "\nLoss in nats a letter with running statistics; unseen: names not in the training part;"
        "\nbigram +1: the loss of counting letter pairs in the training part.\n"
        f"\nBigrams against the training part's table: KL {check.kl_predicted:.4f} nats predicted, "
        f"{check.kl_sampled:.4f} in {CHECKED_SAMPLES:,} samples"
        f"\n(sound below {evaluate.MAX_KL}): {verdict}.\n"
    )
    print("\n".join(lines).expandtabs(24))


if __name__ == "__main__":
    main("experiments.mlp", Options, program)
