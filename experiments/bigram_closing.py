"""What the bigram's program prints after training."""

import sys
from collections.abc import Mapping, Sequence

import numpy as np

from experiments.bigram_fits import Fit
from experiments.bigram_options import Options
from mmjax import Vocab, counts
from mmjax.cli.interruption import Interruption
from mmjax.io.text import Table, aligned
from mmjax.report.snapshot import verdict_lines
from mmjax.runs import verdict
from mmjax.runs.result import BigramResult
from mmjax.runs.samples import sample_lines

RETOLD_LOSS = 2.425  # the final loss that docs/REPRODUCTION.md shows to be impossible
EXAMPLE = "almajq"


def spelled(options: Options, table: np.ndarray, letters: Vocab) -> list[counts.Letter]:
    """Return the name of --spell letter by letter, by default the example.

    Returns nothing if the list does not have the letters of the example. Raises `InputError` if the
    name of --spell has a character that is not in the list.
    """
    if options.spell is None and not set(EXAMPLE) <= set(letters.characters):
        return []
    smoothed = counts.probabilities(table, smoothing=options.smoothing)
    return counts.spell(options.spell or EXAMPLE, smoothed, letters)


def show(
    options: Options,
    result: BigramResult,
    fits: Mapping[str, Fit],
    spelled: Sequence[counts.Letter],
    samples: Mapping[str, Sequence[tuple[str, str]]],
) -> None:
    """Print the fits beside counting, a name letter by letter, and samples."""
    figures = result.figures
    print(
        f"{options.name_list.names}: {figures['names']:,} names, {figures['unique_names']:,} "
        f"distinct, {figures['bigrams']:,} bigrams of {figures['vocab_size']} tokens\n"
    )
    show_fits(result, fits, options.smoothing)
    if spelled:
        mean = sum(letter.nll for letter in spelled) / len(spelled)
        print(f"\n{options.spell or EXAMPLE!r} in the smoothed table, mean -log p {mean:.4f}")
        print(Table(["pair", "probability", "-log p"], spelled))
    for title, names in samples.items():
        print(f"\nsamples from {title}")
        print(aligned("\n".join(sample_lines(names))))
    judged = verdict.of_bigram(figures, result.settings, figures["counts_nll"])
    print(f"\n{verdict_lines(judged)}")


def show_fits(result: BigramResult, fits: Mapping[str, Fit], smoothing: float) -> None:
    """Print gradient descent beside counting, and why no NLL is below the floor."""
    table, floor = result.table, result.figures["counts_nll"]
    smoothed = counts.probabilities(table, smoothing=smoothing)
    difference = float(abs(smoothed - counts.probabilities(table)).max())
    blank = [None] * 4
    rows = [
        [
            *(title, f"{fit.recipe.learning_rate:g}", fit.steps, f"{fit.recipe.penalty:g}"),
            *(fit.loss, fit.nll, fit.max_abs_diff),
        ]
        for title, fit in fits.items()
    ]
    rows += [
        [f"counting, +{smoothing:g}", *blank, counts.nll(smoothed, table), difference],
        ["counting", *blank, floor, 0.0],
    ]
    header = ["gradient descent", "lr", "steps", "penalty", "loss", "NLL", "max |p - counted|"]
    print(Table(header, rows))
    print(
        "\nLoss is with the penalty, NLL without, both in nats per character over the whole list."
        f"\nNo bigram can score below {floor:.4f}, the conditional entropy of the list: the NLL of "
        "any\nother is that plus a Kullback-Leibler divergence, which is never negative (Gibbs)."
    )
    if floor > RETOLD_LOSS:
        print(
            f"A loss of {RETOLD_LOSS} is below it, so no bigram has it: see docs/REPRODUCTION.md."
        )


def status(fit: Fit, interruption: Interruption) -> int:
    """Return the exit status, and say on standard error if training stopped."""
    if fit.stopped_at is None:
        return interruption.status
    print(
        f"experiments.bigram: the loss of step {fit.stopped_at:,} is not finite; stopped and kept "
        f"the table of step {fit.steps:,}; start over with a lower --learning-rate, such as a tenth, "
        "or a lower --penalty",
        file=sys.stderr,
    )
    return 1
