"""The report on an MLP."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from mmjax import evaluate, plots
from mmjax.io.text import Table, shown
from mmjax.report import pictures
from mmjax.report.comparison import (
    comparison,
    counted_side,
    number,
    trained_side,
)
from mmjax.report.sections import Report, Section, settings_and_figures
from mmjax.report.snapshot import tables
from mmjax.runs.result import RunResult


def of_mlp(result: RunResult) -> Report:
    """Return the report on an MLP."""
    predictor, vocab, summary = result.predictor, result.vocab, result.figures
    model: Any = predictor.model
    parts = result.losses()
    losses = [(row.part, *row[2:]) for row in parts]
    counted = {part: row.counted for part, row in zip(result.tokens, parts, strict=True)}
    pairs = result.pairs["train"]
    yardsticks = {
        f"uniform, ln {vocab.size}:": math.log(vocab.size),
        "counted pairs, validation:": counted["val"],
    }
    if (beside := summary.get("kneser_ney_loss_val")) is not None:
        yardsticks["Kneser-Ney, validation:"] = beside
    agree = "agree with" if summary["bigram_check_passed"] else "do NOT agree with"
    by_step = result.settings.get("schedule") == "step"
    drop_step = result.settings["drop_step"] if by_step else None
    kept = plots.most_frequent(np.bincount(pairs.following, pairs.counts, vocab.size)[None, :])
    expected = evaluate.expected_bigrams(predictor, result.tokens["train"], kept)
    return Report(
        title=f"MLP of {Path(result.settings['names']).name}",
        lead=f"{summary['parameters']:,} parameters, {summary['steps']:,} steps of training in "
        f"{summary['training_seconds']:.1f} s. Validation loss {number(summary['loss_val'])} nats per character, "
        f"perplexity {number(perplexity(summary['loss_val']), 2)}. Its letter pairs {agree} counting: KL "
        f"{number(summary['bigram_check_kl'])} nats predicted (limit {evaluate.MAX_KL}), "
        f"{number(summary['bigram_check_kl_sampled'])} sampled (limit {evaluate.MAX_KL} above the "
        f"{number(summary['bigram_check_kl_reference'])} of a sample of the table itself). On validation "
        f"names: {number(summary['bigram_check_kl_val'])} predicted.",
        findings=result.findings,
        samples=[(shown(name), mark) for name, mark in result.samples],
        sections=[
            Section(
                "Losses",
                "In nats per character, with BatchNorm's running statistics. Unseen: names that do not occur in "
                "the training part. Bigram + 1: counting letter pairs in the training part, every count + 1. "
                "Kneser-Ney: counting contexts as long as the network's in the training part, smoothed by "
                "modified Kneser-Ney; blank if there are too many.",
                {
                    "Loss on each part of the list": Table(
                        ["part", "examples", "loss", "perplexity", "bigram + 1", "Kneser-Ney"],
                        losses,
                    ),
                    "A counted bigram beside this MLP": comparison(
                        counted_side(vocab.size, len(result.tokens["train"]) - 1, counted),
                        trained_side(model, summary),
                    ),
                },
            ),
            Section(
                "During training",
                pictures=[
                    *pictures.of_training(
                        result.records,
                        yardsticks=yardsticks,
                        drop_step=drop_step,
                    )
                ],
            ),
            Section(
                "Inside the network",
                "Layers are numbered in the order of the forward pass, as in the lecture: each linear, "
                "normalisation and activation layer counts. An activation without a normalisation before "
                "it usually saturates most.",
                tables(result.seen),
                [*pictures.of_network(result.seen)],
            ),
            Section(
                "What the network has learned about the characters",
                pictures=[
                    *pictures.of_characters(
                        np.asarray(predictor.params.embedding),
                        kept,
                        pairs.rows(kept),
                        expected,
                        vocab,
                    )
                ],
            ),
            settings_and_figures(result.settings, summary),
        ],
    )


def perplexity(loss: float | None) -> float | None:
    """Return the perplexity of a loss, or None if the loss is None."""
    return None if loss is None else evaluate.perplexity(loss)
