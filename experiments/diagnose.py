"""Look inside a trained model: `python -m experiments.diagnose RUN`."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import jax
import jax.numpy as jnp
import tyro

from mmjax import (
    Predictor,
    Vocab,
    bigram,
    corpus,
    counts,
    data,
    diagnostics,
    mlp,
    report,
    train,
    weights,
)
from mmjax.cli.program import main
from mmjax.diagnostics import snapshot
from mmjax.diagnostics.examine import examine
from mmjax.errors import require
from mmjax.report.snapshot import health_lines
from mmjax.runs import lists
from mmjax.runs.layout import FIGURES, PARTS, PLAYGROUND, REPORT
from mmjax.runs.reading import model_of, read_config, read_metrics, read_summary
from mmjax.runs.result import BigramResult, RunResult
from mmjax.runs.samples import read_samples

# The figures that summary.json must have.
BIGRAM_FIGURES = (
    "names",
    "bigrams",
    "steps",
    "initial_loss",
    "final_loss",
    "neural_nll",
    "seconds",
)
MLP_FIGURES = (
    *("parameters", "examples_train", "steps", "training_seconds"),
    *("initial_loss", "final_loss", "stopped_at_step"),
    *(f"loss_{part}" for part in PARTS),
    *("bigram_check_kl", "bigram_check_kl_sampled", "bigram_check_passed"),
    *("bigram_check_kl_reference", "bigram_check_kl_val"),
)


@dataclass(frozen=True)
class Options:
    """Look inside a saved run: tables, findings, pictures and a report.

    For an MLP, activations are measured on 8,192 training examples and gradients on one training
    batch; for a bigram, its table is compared with counting. Writes report.html and the pictures,
    under figures/, to the run folder.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """Look into this run folder of experiments.mlp or experiments.bigram."""
    names: Path | None = None
    """Use this list of names; by default the one that the model was trained on."""


def program(options: Options) -> int:
    """Load a run, inspect, show and draw it; return the exit status."""
    run = options.run
    predictor, vocab = weights.load(model_of(run))
    if isinstance(predictor.model, mlp.MLP):
        result = read_mlp(run, predictor, vocab, options.names)
        made = report.of_mlp(result)
    else:
        is_bigram = isinstance(predictor.model, bigram.Bigram)
        require(is_bigram, f"{run}: is no run of experiments.mlp or experiments.bigram; give one")
        made = report.of_bigram(read_bigram(run, predictor, vocab, options.names))
    tables = [table for section in made.sections[:-1] for table in section.tables.items()]
    print("\n\n".join(f"{title}\n{table}" for title, table in tables))
    print(f"\n{health_lines(made.findings or ())}")
    playground = PLAYGROUND if (run / PLAYGROUND).exists() else ""
    report.write(made._replace(playground=playground), run)
    pictures = [f"{picture.name}.svg" for section in made.sections for picture in section.pictures]
    print(f"\n{run / REPORT}\n{run / FIGURES}: {', '.join(pictures)}")
    return 0


def read_mlp(run: Path, predictor: Predictor, vocab: Vocab, names: Path | None) -> RunResult:
    """Return the result of an MLP's run, as its program had it at the end.

    Raises `InputError` if a file is missing or unusable, or if the list is missing or has a
    character that the model does not know. Another list of the same characters is not detected.
    """
    model = predictor.model
    recipe_options = [field.name for field in fields(train.Recipe)]
    needed = ["names", "unique", "seed", "split_seed", "shuffles", *recipe_options]
    saved = read_config(run, needed)
    recipe = train.Recipe(**{name: saved[name] for name in recipe_options})
    listed = lists.read(saved, names)
    known = lists.split_and_encode(
        listed, vocab, seed=saved["split_seed"], shuffles=saved["shuffles"]
    )
    records, figures = read_metrics(run), read_summary(run, MLP_FIGURES)
    state = train.init(model, recipe, jax.random.key(saved["seed"]))._replace(
        step=jnp.asarray(records[-1]["step"] if records else 0, jnp.int32),
        params=predictor.params,
        stats=predictor.stats,
    )
    examples = data.of(recipe.data, known.tokens["train"], model, noise=recipe.noise)
    seen = snapshot.take(model, recipe, state, examples)
    evidence = examine(
        *(predictor, recipe, state, examples, known.tokens, seen, records, figures), counted=False
    )
    findings = diagnostics.health(evidence)
    return RunResult(
        *(saved, figures, records, read_samples(run), predictor, vocab),
        *(known.tokens, known.pairs, seen, findings),
    )


def read_bigram(run: Path, predictor: Predictor, vocab: Vocab, names: Path | None) -> BigramResult:
    """Return the result of a bigram's run, as its program had it at the end.

    Raises `InputError` if a file is missing or unusable, or if the list is missing or has a
    character that the model does not know. Another list of the same characters is not detected.
    """
    saved = read_config(run, ["names", "smoothing"])
    listed = lists.read(saved, names)
    table = counts.bigrams(corpus.encode(vocab, listed), vocab.size)
    return BigramResult(
        *(saved, read_summary(run, BIGRAM_FIGURES), read_metrics(run), read_samples(run)),
        *(predictor, vocab, table),
    )


if __name__ == "__main__":
    main("python -m experiments.diagnose", Options, program)
