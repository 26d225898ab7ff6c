"""Results of saved runs, read again as their programs had them at the end."""

from dataclasses import fields
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from mmjax import counts, data, diagnostics, train
from mmjax.data import corpus
from mmjax.data.vocab import Vocab
from mmjax.diagnostics import reading, snapshot
from mmjax.diagnostics.cockpit import cockpit
from mmjax.model import Predictor
from mmjax.runs import film, lists, sampled
from mmjax.runs.examine import before_training, examine
from mmjax.runs.layout import PARTS
from mmjax.runs.reading import read_config, read_metrics, read_summary
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


def read_mlp(
    run: Path,
    predictor: Predictor,
    vocab: Vocab,
    names: Path | None,
    *,
    instruments: bool = False,
) -> RunResult:
    """Return the result of an MLP's run, as its program had it at the end.

    With `instruments`, the costly ones are read at its last state, if they were not during training.
    Raises `InputError` if a file is missing or unusable, or if the list is missing or has a
    character that the model does not know. Another list of the same characters is not detected.
    """
    model = predictor.model
    recipe_options = [field.name for field in fields(train.Recipe)]
    needed = ["names", "unique", "seed", "split_seed", "shuffles", *recipe_options]
    saved = read_config(run, needed)
    recipe = train.Recipe(**{name: saved[name] for name in recipe_options})
    known = sampled.load(saved, names, vocab)
    records, figures = read_metrics(run), read_summary(run, MLP_FIGURES)
    state = train.init(model, recipe, jax.random.key(saved["seed"]))._replace(
        step=jnp.asarray(records[-1]["step"] if records else 0, jnp.int32),
        params=predictor.params,
        stats=predictor.stats,
    )
    examples = data.of(recipe.data, known.training, model, noise=recipe.noise)
    seen = snapshot.take(model, recipe, state, examples)
    random = not saved.get("init_from")
    evidence = examine(
        *(predictor, recipe, state, examples, known.tokens, seen, records, figures),
        first=before_training(model, recipe, saved["seed"], examples) if random else None,
        counted=False,
    )
    if instruments and not evidence.readings:
        evidence = evidence._replace(readings=[_reading(predictor, recipe, state, examples)])
    return RunResult(
        *(saved, figures, records, read_samples(run), predictor, vocab),
        *(known.tokens, known.pairs, seen),
        *(diagnostics.health(evidence), cockpit(evidence)),
        film.read(run, saved["steps"]),
    )


def _reading(
    predictor: Predictor, recipe: train.Recipe, state: train.TrainState, examples: data.Dataset
) -> dict[str, float]:
    """Return a reading of the last state, without its step where the optimizer's state is lost."""
    seen = reading.read(predictor.model, recipe, state, examples)
    figures = {name: float(value) for name, value in seen._asdict().items()}
    figures["lr"] = float(np.asarray(train.schedule_of(recipe)(max(int(state.step) - 1, 0))))
    if recipe.optimizer != "sgd":
        del figures["step_reach"]
    return figures


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
