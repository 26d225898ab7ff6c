"""The lecture's comparison of bigram and MLP, with a run's figures."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from mmjax.io.text import Table
from mmjax.model import parameter_count
from mmjax.models import mlp


class Side(NamedTuple):
    """One column of the lecture's comparison of bigram and MLP."""

    parameters: str
    context: str
    architecture: str
    training_examples: str
    first_loss: str
    training_loss: str
    validation_loss: str
    training: str
    distributions: str
    overfitting: str


def comparison(bigram_side: Side, mlp_side: Side) -> Table:
    """Return the lecture's table with this run's figures."""
    titles = [field.replace("_", " ") for field in Side._fields]
    titles[-2:] = ["distributions it can hold", "overfitting: validation - training"]
    rows = [*zip(titles, bigram_side, mlp_side, strict=True)]
    return Table(["", "bigram", "MLP"], rows)


def number(value: float | None, decimals: int = 4) -> str:
    """Return a figure of a summary as text, "n/a" if it is None.

    A summary has None in place of a non-finite number.
    """
    return "n/a" if value is None else f"{value:.{decimals}f}"


def counted_side(size: int, examples: int, nll: Mapping[str, float]) -> Side:
    """Return the column of a counted bigram of `size` tokens, every count + 1."""
    return Side(
        f"{size**2:,}",
        "1 character",
        "one table",
        f"{examples:,}",
        f"{math.log(size):.4f} (uniform)",
        f"{nll['train']:.4f}",
        f"{nll['val']:.4f}",
        "one pass of counting",
        f"{size:,}, one per token",
        f"{nll['val'] - nll['train']:+.4f}",
    )


def neural_side(table: np.ndarray, summary: Mapping[str, Any]) -> Side:
    """Return the column of a bigram trained on the whole list."""
    return counted_side(
        len(table),
        int(table.sum()),
        {"train": summary["neural_nll"] or math.nan, "val": math.nan},
    )._replace(
        first_loss=number(summary["initial_loss"]),
        validation_loss="nothing held back",
        training=f"{summary['steps']:,} steps",
        overfitting="nothing held back",
    )


def trained_side(config: mlp.MLP, summary: Mapping[str, Any]) -> Side:
    """Return the column of a trained MLP."""
    train, val = summary["loss_train"], summary["loss_val"]
    gap = None if None in (train, val) else val - train
    return untrained_side(config)._replace(
        training_examples=f"{summary['examples_train']:,}",
        first_loss=number(summary["initial_loss"]),
        training_loss=number(train),
        validation_loss=number(val),
        training=f"{summary['steps']:,} steps, {summary['training_seconds']:.1f} s",
        overfitting="n/a" if gap is None else f"{gap:+.4f}",
    )


def untrained_side(config: mlp.MLP) -> Side:
    """Return the column of an MLP that has not been trained."""
    params, _ = jax.eval_shape(partial(mlp.init, config), jax.random.key(0))
    block, hidden = config.block_size, len(config.layer_sizes) - 2
    later = "not trained here"
    return Side(
        parameters=f"{parameter_count(params):,}",
        context=f"{block} character{'s' * (block > 1)}",
        architecture=f"{hidden} hidden layer{'s' * (hidden > 1)} and the output",
        training_examples=later,
        first_loss=later,
        training_loss=later,
        validation_loss=later,
        training=later,
        distributions=f"{config.vocab_size**block:,}, one per context",
        overfitting=later,
    )
