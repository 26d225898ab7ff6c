"""`report.html`: a run in one file that needs nothing else."""

import math
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jinja2
import numpy as np
from markupsafe import Markup

from experiments import inside, pictures
from experiments.bigram_fits import BigramResult
from experiments.outcome import RunResult
from experiments.pictures import Picture
from experiments.program import Table, shown
from experiments.run_folder import FIGURES, REPORT
from mmjax import bigram, counts, diagnostics, evaluate, figures, files, mlp
from mmjax.diagnostics import Finding
from mmjax.model import parameter_count


class Section(NamedTuple):
    """A heading with text, tables by their captions, and pictures under it."""

    title: str
    text: str = ""
    tables: Mapping[str, Table] = {}
    pictures: Sequence[Picture] = ()


class Report(NamedTuple):
    """What a report shows, from top to bottom."""

    title: str
    lead: str
    findings: Sequence[Finding]
    samples: Sequence[tuple[str, str]]
    sections: Sequence[Section]


def write(report: Report, folder: Path) -> None:
    """Write the pictures and the report into a run folder. Raises `InputError` if that cannot be done."""
    drawn = [picture for section in report.sections for picture in section.pictures]
    svgs = pictures.save(drawn, folder / FIGURES)
    files.write(folder / REPORT, render(report, {name: inline(name, svgs[name]) for name in svgs}))


def render(report: Report, svgs: Mapping[str, Markup]) -> str:
    """The page, everything in it escaped but the pictures, which matplotlib has escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("report.html.j2")
    return template.render(report=report, svgs=svgs)


def inline(name: str, svg: str) -> Markup:
    """A picture to stand within a page: in the page's two colours, with ids that no other picture has."""
    svg = svg[svg.index("<svg ") :]
    svg = svg.replace("#000000", "currentColor").replace("#ffffff", "var(--paper)")
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    return Markup(svg.replace("<svg ", '<svg aria-hidden="true" ', 1))


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
    """The lecture's table, with this run's figures."""
    titles = [field.replace("_", " ") for field in Side._fields]
    titles[-2:] = ["distributions it can hold", "overfitting: validation - training"]
    rows = [*zip(titles, bigram_side, mlp_side, strict=True)]
    return Table(["", "bigram", "MLP"], rows)


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
    agree = "agree with" if summary["bigram_check_passed"] else "do NOT agree with"
    by_step = result.settings.get("schedule") == "step"
    drop_step = result.settings["drop_step"] if by_step else None
    kept = figures.most_frequent(np.bincount(pairs.following, pairs.counts, vocab.size)[None, :])
    expected = evaluate.expected_bigrams(predictor, result.tokens["train"], kept)
    return Report(
        title=f"MLP of {Path(result.settings['names']).name}",
        lead=f"{summary['parameters']:,} parameters, {summary['steps']:,} steps of training in "
        f"{summary['training_seconds']:.1f} s. Validation loss {number(summary['loss_val'])} nats per character, "
        f"perplexity {number(perplexity(summary['loss_val']), 2)}. Its letter pairs {agree} counting: KL "
        f"{number(summary['bigram_check_kl'])} nats as it predicts them, "
        f"{number(summary['bigram_check_kl_sampled'])} as it samples them (sound below "
        f"{evaluate.MAX_KL}, and as sampled that far above the "
        f"{number(summary['bigram_check_kl_reference'])} of a sample of the table itself); on "
        f"validation names {number(summary['bigram_check_kl_val'])} as it predicts them.",
        findings=result.findings,
        samples=[(shown(name), mark) for name, mark in result.samples],
        sections=[
            Section(
                "Losses",
                "In nats per character, with BatchNorm's running statistics. Unseen are names that the training "
                "part does not have; bigram + 1 is counting letter pairs in the training part.",
                {
                    "Loss on each part of the list": Table(
                        ["part", "examples", "loss", "perplexity", "bigram + 1"], losses
                    ),
                    "A counted bigram beside this MLP": comparison(
                        counted_side(vocab.size, len(result.tokens["train"]) - 1, counted),
                        trained_side(model, summary),
                    ),
                },
            ),
            Section(
                "Over the training",
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
                "Layers are numbered in the order of the forward pass, linear, BatchNorm and tanh each on "
                "its own, as in the lecture. The first tanh has no BatchNorm before it, so it is the "
                "first to saturate.",
                inside.tables(result.seen),
                [*pictures.of_network(result.seen)],
            ),
            Section(
                "What it has learned of the characters",
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
        lead=f"{summary['names']:,} names, {summary['bigrams']:,} pairs of {vocab.size:,} characters. The "
        f"trained table scores {number(summary['neural_nll'])} nats per character over the whole list. No bigram can "
        f"score below {floor:.4f}, the list's conditional entropy.",
        findings=diagnostics.health(
            initial_loss=summary["initial_loss"], final_loss=summary["final_loss"]
        ),
        samples=[(shown(name), mark) for name, mark in result.samples],
        sections=[
            Section(
                "Training against counting",
                "In nats per character over the whole list, which is also what was trained on.",
                {
                    "How near gradient descent comes to counting": Table(
                        ["", "NLL", "largest difference of a probability"], rows
                    ),
                    "A bigram and the MLP of experiments.mlp, as far as this run can tell": comparison(
                        neural_side(table, summary), untrained_side(mlp.MLP(vocab.size))
                    ),
                },
                [
                    *pictures.of_training(result.records, yardsticks={"no bigram below:": floor}),
                    *pictures.of_tables(table, trained, vocab),
                ],
            ),
            settings_and_figures(result.settings, summary),
        ],
    )


def settings_and_figures(settings: Mapping[str, Any], figures: Mapping[str, Any]) -> Section:
    """Return the section of settings, figures, versions and device."""
    tables = {"Settings": settings, "Figures, versions and device": figures}
    return Section(
        "Settings and versions",
        tables={
            title: Table(["", ""], [(key, setting(value)) for key, value in content.items()])
            for title, content in tables.items()
        },
    )


def number(value: float | None, decimals: int = 4) -> str:
    """A figure of a summary, in which what is no finite number is null."""
    return "none" if value is None else f"{value:.{decimals}f}"


def perplexity(loss: float | None) -> float | None:
    """The perplexity of a loss, if there is one."""
    return None if loss is None else evaluate.perplexity(loss)


def setting(value: Any) -> str:
    """A value of JSON as text."""
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def counted_side(size: int, examples: int, nll: Mapping[str, float]) -> Side:
    """Return a bigram of `size` tokens that is counted, every count + 1."""
    return Side(
        f"{size**2:,}",
        "1 character",
        "one table",
        f"{examples:,}",
        f"{math.log(size):.4f} (uniform)",
        f"{nll['train']:.4f}",
        f"{nll['val']:.4f}",
        "one pass of counting",
        f"{size:,}, one a character",
        f"{nll['val'] - nll['train']:+.4f}",
    )


def neural_side(table: np.ndarray, summary: Mapping[str, Any]) -> Side:
    """A bigram trained on the whole list."""
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
    """An MLP and what came of it."""
    train, val = summary["loss_train"], summary["loss_val"]
    gap = None if None in (train, val) else val - train
    return untrained_side(config)._replace(
        training_examples=f"{summary['examples_train']:,}",
        first_loss=number(summary["initial_loss"]),
        training_loss=number(train),
        validation_loss=number(val),
        training=f"{summary['steps']:,} steps, {summary['training_seconds']:.1f} s",
        overfitting="none" if gap is None else f"{gap:+.4f}",
    )


def untrained_side(config: mlp.MLP) -> Side:
    """What can be said of an MLP before it is trained."""
    params, _ = jax.eval_shape(partial(mlp.init, config), jax.random.key(0))
    block, hidden = config.block_size, config.hidden_layers
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
        distributions=f"{config.vocab_size**block:,}, one a context",
        overfitting=later,
    )
