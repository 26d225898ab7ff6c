"""The report on an MLP."""

from collections.abc import Mapping
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
from mmjax.report.readings import of_readings
from mmjax.report.sections import Report, Section, settings_and_figures
from mmjax.report.snapshot import tables
from mmjax.runs import verdict
from mmjax.runs.result import RunResult
from mmjax.runs.sampled import ON_SAMPLES


def of_mlp(result: RunResult) -> Report:
    """Return the report on an MLP."""
    predictor, vocab, summary = result.predictor, result.vocab, result.figures
    model: Any = predictor.model
    parts = result.losses()
    losses = [
        (row.part, row.examples, row.loss, number(row.perplexity, 2), row.counted, row.kneser_ney)
        for row in parts
    ]
    counted = {part: row.counted for part, row in zip(result.tokens, parts, strict=True)}
    pairs = result.pairs["train"]
    yardsticks = {"counted pairs, validation:": counted["val"]}
    if (beside := summary.get("kneser_ney_loss_val")) is not None:
        yardsticks["Kneser-Ney, validation:"] = beside
    on_samples = f" {ON_SAMPLES}" if summary.get("measured_on_samples") else ""
    by_step = result.settings.get("schedule") == "step"
    drop_step = result.settings["drop_step"] if by_step else None
    kept = plots.most_frequent(np.bincount(pairs.following, pairs.counts, vocab.size)[None, :])
    expected = evaluate.expected_bigrams(predictor, result.tokens["train"], kept)
    return Report(
        title=f"MLP of {Path(result.settings['names']).name}",
        lead=f"{summary['names']:,} names, {summary['parameters']:,} parameters, "
        f"{summary['steps']:,} steps of training in {summary['training_seconds']:.1f} s.",
        verdict=verdict.of(summary, result.settings),
        samples=[(shown(name), mark) for name, mark in result.samples],
        findings=result.findings,
        sections=[
            Section(
                "Instruments",
                "What the findings look at. The green column is where a figure is healthy; "
                "docs/diagnosis.md says how its ends were chosen.",
                pictures=[*pictures.of_instruments(result.gauges)],
            ),
            Section(
                "How it went",
                "Losses are in nats per character. Unseen: names that do not occur in the training "
                "part. Bigram + 1: counting letter pairs in the training part, every count + 1. "
                "Kneser-Ney: counting contexts as long as the network's; blank if there are too many."
                f"{on_samples}",
                {
                    "Loss on each part of the list": Table(
                        ["part", "examples", "loss", "perplexity", "bigram + 1", "Kneser-Ney"],
                        losses,
                    )
                },
                [
                    *pictures.of_training(
                        result.records, yardsticks=yardsticks, drop_step=drop_step
                    ),
                    *of_readings(result.records, result.settings),
                ],
            ),
            Section(
                "Characters",
                _agreement(summary),
                pictures=[
                    *pictures.of_film(_stills(result), kept, vocab),
                    *pictures.of_characters(
                        np.asarray(predictor.params.embedding),
                        kept,
                        pairs.rows(kept),
                        expected,
                        vocab,
                    ),
                ],
            ),
            Section(
                "Inside the network",
                "Layers have the names of the forward pass. An activation without a normalisation "
                "before it usually saturates most.",
                pictures=[*pictures.of_network(result.seen)],
            ),
            Section(
                "Tables",
                "Layers are numbered in the order of the forward pass, as in the lecture: each linear, "
                "normalisation and activation layer counts.",
                {
                    "A counted bigram beside this MLP": comparison(
                        counted_side(vocab.size, summary["examples_train"], counted),
                        trained_side(model, summary),
                    ),
                    "Instruments": Table(
                        ["instrument", "figure", "healthy"],
                        [
                            (g.name, f"{g.value:.3g}", "yes" if g.outside <= 0 else "NO")
                            for g in result.gauges
                        ],
                    ),
                    **tables(result.seen),
                },
                folded=True,
            ),
            settings_and_figures(result.settings, summary),
        ],
    )


def _stills(result: RunResult) -> dict[int, np.ndarray]:
    """Return the embedding at several steps, the last one that of the trained model."""
    last = result.figures.get("step_of_weights", result.figures["steps"])
    stills = {step: still for step, still in result.film.items() if step < last}
    return {**stills, last: np.asarray(result.predictor.params.embedding)}


def _agreement(summary: Mapping[str, Any]) -> str:
    """Return sentences on the letter pairs of the network beside those of counting."""
    agree = "agree with" if summary["bigram_check_passed"] else "do NOT agree with"
    return (
        f"Its letter pairs {agree} counting: KL {number(summary['bigram_check_kl'])} nats predicted "
        f"(limit {evaluate.MAX_KL}), {number(summary['bigram_check_kl_sampled'])} sampled (limit "
        f"{evaluate.MAX_KL} above the {number(summary['bigram_check_kl_reference'])} of a sample of "
        f"the table itself). On validation names: {number(summary['bigram_check_kl_val'])} predicted."
    )
