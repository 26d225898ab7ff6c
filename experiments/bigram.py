"""The bigram, by counting and by gradient descent: `python -m experiments.bigram --help`."""

import sys
import time
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from tqdm import tqdm

from experiments import report
from experiments.program import Interruption, NameList, Table, interruptible, main, sample_lines
from experiments.run_folder import RunFolder, claimed
from mmjax import Predictor, Vocab, bigram, corpus, counts, sample, train, vocab
from mmjax.errors import require_ranges

LOOKS = 50  # how often the loss is looked at during a fit
DOCUMENT_LOSS = 2.425
DOCUMENT_NAME = "almajq"
COUNTS_MODEL = "counts.safetensors"


@dataclass(frozen=True)
class Options:
    """Learn which letter follows which: by counting, and by a neural network that comes to the same.

    Trains on the whole list, full batch, and shows the document's settings, settings that work and
    counting side by side. Leaves its figures, samples and weights in the run folder.
    """

    name_list: NameList
    config: Path | None = None
    """Take the options, but for --out, from this file, a run's config.json; those on the command line go before it."""
    out: Path = Path("runs/bigram")
    """The run folder; an earlier run in it is overwritten, if it has come to its end."""
    overwrite: bool = False
    """Start over in the run folder of a run that has not come to its end."""
    steps: int = 10_000
    """Steps of gradient descent on the whole list."""
    learning_rate: float = 50.0
    """Learning rate; the document's 0.1 is far too small for its 100 steps."""
    penalty: float = 0.0
    """Weight of the penalty mean(W**2), which smooths; the document's is 0.01."""
    smoothing: float = 1.0
    """What is added to every count in the smoothed table."""
    spell: str | None = None
    """A name to show letter by letter under the smoothed table; by default the document's almajq."""
    seed: int = 0
    """Seed of the initial weights and of the samples."""
    report: bool = True
    """Write report.html and its pictures; takes a few seconds."""

    def __post_init__(self):
        require_ranges(
            self,
            steps=(0, 2**31 - 1),
            learning_rate=(0.0, 1e6),
            penalty=(0.0, 1e6),
            smoothing=(0.0, 1e9),
            seed=(0, 2**32 - 1),
        )


class Recipe(NamedTuple):
    """Settings of gradient descent, and what to call them."""

    title: str
    learning_rate: float
    steps: int
    penalty: float


class Fit(NamedTuple):
    """A trained neural bigram and how it compares with counting; losses in nats a letter."""

    params: bigram.Params
    steps: int
    initial_loss: float | None
    loss: float
    nll: float
    max_abs_diff: float
    stopped_at: int | None
    """The step whose loss was no finite number, after which the last good parameters were kept."""


DOCUMENT = Recipe("the document's settings", 0.1, 100, 0.01)
WORKING = Recipe("settings that work", 50.0, 100, 0.01)
CONVERGED = Recipe("the same, converged", 50.0, 5_000, 0.01)


def program(options: Options) -> int:
    """Train, compare with counting, sample, save and show; the exit status."""
    started = time.perf_counter()
    names = options.name_list.read()
    letters = vocab.build(names)
    list_counts = counts.bigrams(corpus.encode(letters, names), letters.size)
    smoothed = counts.probabilities(list_counts, smoothing=options.smoothing)
    spell(options, smoothed, letters)  # a letter that lacks is said before anything is written
    jax.devices()  # fails here, before anything is written, if there is none
    with claimed(options.out):
        return run(options, names, letters, list_counts, started)


def run(
    options: Options, names: list[str], letters: Vocab, list_counts: np.ndarray, started: float
) -> int:
    """The program once its list is read and its run folder its own."""
    folder = RunFolder(options.out, options, overwrite=options.overwrite)
    config = bigram.Bigram(vocab_size=letters.size)
    smoothed = counts.probabilities(list_counts, smoothing=options.smoothing)
    spelled = spell(options, smoothed, letters)
    init_key, sample_key = jax.random.split(jax.random.key(options.seed))
    initial, _ = bigram.init(config, init_key)
    own = Recipe("these settings", options.learning_rate, options.steps, options.penalty)
    with interruptible() as interruption:
        fits = {
            recipe: fit(recipe, config, initial, list_counts, interruption)
            for recipe in (DOCUMENT, WORKING, CONVERGED)
        }
        fits[own] = fit(own, config, initial, list_counts, interruption, folder)

    table_params = bigram.from_counts(list_counts, smoothing=options.smoothing)
    counted = Predictor(config, table_params, ())
    neural = Predictor(config, fits[own].params, ())
    folder.write_model(counted, letters, COUNTS_MODEL)
    folder.write_model(neural, letters)
    known = frozenset(names)
    samples = {
        title: sample_lines(list(islice(sample.stream(model, letters, sample_key), 10)), known)
        for title, model in (("the table", counted), ("the network", neural))
    }
    folder.write_samples(samples["the network"])
    folder.write_summary(
        {
            "names": len(names),
            "unique_names": len(known),
            "bigrams": int(list_counts.sum()),
            "vocab_size": letters.size,
            "counts_nll": counts.entropy_floor(list_counts),
            "counts_nll_smoothed": counts.nll(smoothed, list_counts),
            "steps": fits[own].steps,
            "stopped_at_step": fits[own].stopped_at,
            "initial_loss": fits[own].initial_loss,
            "final_loss": fits[own].loss,
            "neural_nll": fits[own].nll,
            "neural_vs_counts_max_abs_diff": fits[own].max_abs_diff,
            "seconds": round(time.perf_counter() - started, 3),
        }
    )

    print(
        f"{options.name_list.names}: {len(names):,} names, {len(known):,} distinct, "
        f"{list_counts.sum():,} bigrams of {letters.size} tokens\n"
    )
    show_fits(fits, list_counts, smoothed, options.smoothing)
    if spelled:
        mean = sum(letter.nll for letter in spelled) / len(spelled)
        print(f"\n{options.spell or DOCUMENT_NAME!r} in the smoothed table, mean -log p {mean:.4f}")
        print(Table(["pair", "probability", "-log p"], spelled))
    for title, lines in samples.items():
        print(f"\nsamples from {title}")
        print("\n".join(lines).expandtabs(24))
    if options.report:
        report.write(report.of_bigram(options.out, neural, letters, names), options.out)
    print(f"\n{folder.contents()}")
    stopped_at = fits[own].stopped_at
    if stopped_at is not None:
        print(
            f"experiments.bigram: the loss of step {stopped_at:,} is no finite number; stopped and kept the table of step "
            f"{fits[own].steps:,}; start over with a lower --learning-rate, a tenth say, or a lower --penalty",
            file=sys.stderr,
        )
        return 1
    return interruption.status


def spell(options: Options, smoothed: np.ndarray, letters: Vocab) -> list[counts.Letter]:
    """The asked name letter by letter, or the document's if the list has its letters.

    Raises `InputError` if the asked name has a character that the list lacks.
    """
    if options.spell is None and not set(DOCUMENT_NAME) <= set(letters.characters):
        return []
    return counts.spell(options.spell or DOCUMENT_NAME, smoothed, letters)


def fit(
    recipe: Recipe,
    config: bigram.Bigram,
    params: bigram.Params,
    list_counts: np.ndarray,
    interruption: Interruption,
    folder: RunFolder | None = None,
) -> Fit:
    """Descend in chunks, logged in `folder` if there is one, until the last step, an interruption or what is no number."""
    loss = partial(bigram.loss, config, penalty=recipe.penalty)
    optimizer = train.sgd(optax.constant_schedule(recipe.learning_rate))
    device_counts = jnp.asarray(list_counts)
    done, seconds, initial_loss, stopped_at = 0, 0.0, None, None
    chunk = max(1, recipe.steps // LOOKS)
    with tqdm(desc=recipe.title, total=recipe.steps, unit="step", disable=None) as progress:
        while done < recipe.steps and not interruption:
            size = min(chunk, recipe.steps - done)
            started = time.perf_counter()
            new, losses = train.descend(loss, optimizer, params, device_counts, steps=size)
            losses = np.asarray(losses)
            seconds += time.perf_counter() - started
            if done == 0:
                initial_loss = float(losses[0])
            if not np.isfinite([*losses, loss(new, device_counts)]).all():
                bad = ~np.isfinite(losses)
                stopped_at = done + int(bad.argmax() if bad.any() else size)
                break
            params = new
            done += size
            if folder:
                record = {
                    "step": done,
                    "seconds": round(seconds, 3),
                    "lr": recipe.learning_rate,
                    "loss_train": float(losses.mean()),
                    "loss_low": float(losses.min()),
                    "loss_high": float(losses.max()),
                }
                folder.add_metrics(record)
            progress.set_postfix(loss=f"{losses[-1]:.4f}", refresh=False)
            progress.update(size)
    probs = np.asarray(bigram.probabilities(config, params), np.float64)
    return Fit(
        params,
        done,
        initial_loss,
        float(loss(params, device_counts)),
        counts.nll(probs, list_counts),
        float(abs(probs - counts.probabilities(list_counts)).max()),
        stopped_at,
    )


def show_fits(
    fits: dict[Recipe, Fit], list_counts: np.ndarray, smoothed: np.ndarray, smoothing: float
) -> None:
    """Print gradient descent and counting side by side, and why nothing goes below the floor."""
    floor = counts.entropy_floor(list_counts)
    difference = float(abs(smoothed - counts.probabilities(list_counts)).max())
    blank = [None] * 4
    rows = [
        [title, f"{lr:g}", fit.steps, f"{penalty:g}", fit.loss, fit.nll, fit.max_abs_diff]
        for (title, lr, _, penalty), fit in fits.items()
    ]
    rows += [
        [f"counting, +{smoothing:g}", *blank, counts.nll(smoothed, list_counts), difference],
        ["counting", *blank, floor, 0.0],
    ]
    header = ["gradient descent", "lr", "steps", "penalty", "loss", "NLL", "max |p - counted|"]
    print(Table(header, rows))
    print(
        "\nLoss is with the penalty, NLL without, both in nats a letter over the whole list."
        f"\nNo bigram can score below {floor:.4f}, the conditional entropy of the list: the NLL of any"
        "\nother is that plus a Kullback-Leibler divergence, which is never negative (Gibbs)."
    )
    if floor > DOCUMENT_LOSS:
        print(
            f"The document's final loss of {DOCUMENT_LOSS} is below it, "
            "so it cannot be a loss over this whole list."
        )


if __name__ == "__main__":
    main("experiments.bigram", Options, program)
