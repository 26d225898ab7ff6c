"""The report on a neural bigram."""

from pathlib import Path
from typing import Any

import numpy as np

from mmjax import counts, diagnostics
from mmjax.io.text import Table, shown
from mmjax.models import bigram, mlp
from mmjax.report import pictures
from mmjax.report.comparison import comparison, neural_side, untrained_side
from mmjax.report.sections import Report, Section, settings_and_figures
from mmjax.runs import verdict
from mmjax.runs.result import BigramResult


def of_bigram(result: BigramResult) -> Report:
    """Return the report on a neural bigram."""
    options, summary, predictor = result.settings, result.figures, result.predictor
    vocab, table = result.vocab, result.table
    model: Any = predictor.model
    counted = counts.probabilities(table)
    smoothed = counts.probabilities(table, smoothing=options["smoothing"])
    trained = np.asarray(bigram.probabilities(model, predictor.params), np.float64)
    floor = counts.entropy_floor(table)
    rows = [
        (title, counts.nll(probs, table), float(abs(probs - counted).max()))
        for title, probs in (
            ("neural bigram", trained),
            (f"counting, + {options['smoothing']:g}", smoothed),
            ("counting", counted),
        )
    ]
    return Report(
        title=f"Bigram of {Path(options['names']).name}",
        lead=f"{summary['names']:,} names, {summary['bigrams']:,} pairs of {vocab.size:,} characters, "
        f"{summary['steps']:,} steps of training in {summary['seconds']:.1f} s.",
        verdict=verdict.of_bigram(summary, options, floor),
        samples=[(shown(name), mark) for name, mark in result.samples],
        findings=diagnostics.health(
            diagnostics.Evidence(
                initial_loss=summary["initial_loss"], final_loss=summary["final_loss"]
            )
        ),
        sections=[
            Section(
                "Training against counting",
                "In nats per character over the whole list, which is also the training data.",
                {
                    "Gradient descent compared with counting": Table(
                        ["", "NLL", "largest difference of a probability"], rows
                    ),
                },
                [
                    *pictures.of_training(result.records, yardsticks={"no bigram below:": floor}),
                    *pictures.of_tables(table, trained, vocab),
                ],
            ),
            Section(
                "Beside the MLP",
                tables={
                    "This bigram beside the MLP of experiments.mlp": comparison(
                        neural_side(table, summary), untrained_side(mlp.MLP(vocab.size))
                    ),
                },
                folded=True,
            ),
            settings_and_figures(result.settings, summary),
        ],
    )
