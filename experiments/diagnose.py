"""Look inside a trained network: `python -m experiments.diagnose RUN`."""

import io
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from matplotlib.figure import Figure

from experiments.program import main, table
from experiments.run_folder import MODEL, read_config, read_metrics
from mmjax import (
    InputError,
    Predictor,
    Vocab,
    bigram,
    corpus,
    counts,
    diagnostics,
    evaluate,
    figures,
    files,
    mlp,
    train,
    weights,
)
from mmjax.diagnostics import Activation, Finding, Gradient, Inspection, WeightGradient

# Examples on which activations are measured; gradients are those of one training batch.
LOOK = 1_024


class Inside(NamedTuple):
    """The document's three tables, the parameters' norms, and the batch that the gradients are of."""

    activations: list[Activation]
    gradients: list[Gradient]
    weights: list[WeightGradient]
    norms: dict[str, float]
    batch: Inspection


@dataclass(frozen=True)
class Options:
    """Show a saved run from inside: tables, pictures, and what is unhealthy about it.

    Of an MLP activations are those of 1,024 training examples, gradients those of one training batch; of a
    bigram its table is held against counting. The pictures go into the run's folder, under figures/.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """A run folder of experiments.mlp or experiments.bigram."""
    names: Path | None = None
    """The list; by default the one that the model was trained on."""


def program(options: Options) -> int:
    """Load, look, show and draw; the exit status."""
    predictor, vocab = weights.load(options.run / MODEL)
    saved = read_config(options.run, ["names", "unique", "seed"])
    names = corpus.read_names(options.names or saved["names"], unique=saved["unique"])
    look = look_at_mlp if predictor.model is mlp else look_at_bigram
    text, pictures = look(options.run, predictor, vocab, names)
    print(text)
    folder = options.run / "figures"
    for name, figure in pictures.items():
        save(figure, folder / f"{name}.png")
    print(f"\n{folder}: {', '.join(f'{name}.png' for name in pictures)}")
    return 0


def save(figure: Figure, path: Path) -> None:
    """Write a picture as PNG. Raises `InputError` if that cannot be done."""
    image = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a box is shown for it
        figure.savefig(image, format="png", dpi=110)
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"{path.parent}: cannot be made: {error.strerror}") from None
    files.write(path, image.getvalue())


def look_at_bigram(
    run: Path, predictor: Predictor, vocab: Vocab, names: list[str]
) -> tuple[str, dict[str, Figure]]:
    """The trained table beside the counted one: (text, pictures)."""
    del run
    config: Any = predictor.config
    list_counts = counts.bigrams(corpus.encode(vocab, names), vocab.size)
    counted = counts.probabilities(list_counts)
    trained = np.asarray(bigram.probabilities(config, predictor.params), np.float64)
    text = (
        f"NLL {counts.nll(trained, list_counts):.4f} nats a letter; floor {counts.entropy_floor(list_counts):.4f}"
        f"\nlargest difference from a counted probability {abs(trained - counted).max():.4f}"
    )
    tables = {"counted": counted, "neural bigram": trained}
    return text, {
        "bigram_table": figures.bigram_table(list_counts, vocab.labels),
        "probability_tables": figures.probability_tables(tables, vocab.labels),
    }


def look_at_mlp(
    run: Path, predictor: Predictor, vocab: Vocab, names: list[str]
) -> tuple[str, dict[str, Figure]]:
    """The document's tables, the findings, and its four visualisations and more: (text, pictures)."""
    recipe_options = [field.name for field in fields(train.Config)]
    saved = read_config(run, ["seed", "split_seed", "shuffles", *recipe_options])
    recipe = train.Config(**{name: saved[name] for name in recipe_options})
    splits = corpus.split(names, seed=saved["split_seed"], shuffles=saved["shuffles"])
    tokens = corpus.encode(vocab, splits.train)
    config: Any = predictor.config
    state = train.init(mlp, config, recipe, jax.random.key(saved["seed"]))
    records = read_metrics(run)
    steps = records[-1]["step"] if records else 0
    state = state._replace(
        step=jnp.asarray(steps, jnp.int32), params=predictor.params, stats=predictor.stats
    )
    inside = look_inside(config, recipe, state, tokens)
    findings = diagnostics.health(inside.activations, inside.gradients)
    text = f"{tables(inside)}\n\n{health_lines(findings)}"

    table_counts = counts.bigrams(tokens, vocab.size)
    counted = counts.probabilities(table_counts)
    expected = counts.probabilities(evaluate.expected_bigrams(predictor, tokens))
    tanhs = [row.name for row in inside.activations]
    batch = inside.batch
    pictures = {
        **history(records, recipe, config.vocab_size, counts.entropy_floor(table_counts)),
        "activations": figures.histograms(
            {name: np.asarray(batch.outputs[name]) for name in tanhs},
            title="Outputs of the tanh layers: spread out, without heaps at -1 and 1",
            xlabel="output",
        ),
        "gradients": figures.histograms(
            {name: np.asarray(batch.output_grads[name]) for name in tanhs},
            title="Gradients at the tanh layers: equally wide is healthy",
            xlabel="gradient of the loss",
        ),
        "weight_gradients": figures.histograms(
            {name: np.asarray(grad) for name, grad in diagnostics.weights(batch.grads).items()},
            title="Gradients of the weights: every layer learns, none far more than another",
            xlabel="gradient of the loss",
        ),
        "saturation": figures.saturation({name: np.asarray(batch.outputs[name]) for name in tanhs}),
        "embedding": figures.embedding(np.asarray(predictor.params.embedding), vocab.labels),
        "predicted_against_counted": figures.predicted_against_counted(
            counted, expected, vocab.labels
        ),
        "bigram_table": figures.bigram_table(table_counts, vocab.labels),
    }
    return text, pictures


def history(
    records: list[dict[str, Any]], recipe: train.Config, vocab_size: int, floor: float
) -> dict[str, Figure]:
    """The pictures over time, from the run's metrics; none if it has no metrics."""
    if not records:
        return {}
    steps = np.array([record["step"] for record in records])

    def over_time(prefix: str) -> dict[str, np.ndarray]:
        names = [key for key in records[0] if key.startswith(prefix)]
        return {
            name.removeprefix(prefix): np.array([record.get(name, np.nan) for record in records])
            for name in names
        }

    validated = [(record["step"], record["loss_val"]) for record in records if "loss_val" in record]
    pictures = {
        "loss": figures.loss_curve(
            steps,
            np.array([record["loss_train"] for record in records]),
            validation=(np.array(validated).T[0], np.array(validated).T[1]) if validated else None,
            drop_step=recipe.drop_step,
            yardsticks={
                f"uniform, ln {vocab_size}:": math.log(vocab_size),
                "no bigram below": floor,
            },
        )
    }
    if ratios := over_time("update_ratio/"):
        pictures["update_ratios"] = figures.update_ratios(steps, ratios)
    if saturations := over_time("saturation/"):
        pictures["saturation_over_time"] = figures.saturation_over_time(steps, saturations)
    return pictures


def look_inside(
    config: mlp.Config, recipe: train.Config, state: train.TrainState, tokens: np.ndarray
) -> Inside:
    """The tables for a training state, on the batch that its next step would draw."""
    inspect = jax.jit(diagnostics.inspect, static_argnums=0)
    many = train.Config(batch_size=LOOK)
    inspections = [
        inspect(
            config,
            state.params,
            state.stats,
            *train.draw_batch(config, drawn, state, jnp.asarray(tokens)),
        )
        for drawn in (many, recipe)
    ]
    return Inside(
        diagnostics.activations(config, inspections[0]),
        diagnostics.gradients(config, inspections[1]),
        diagnostics.weight_gradients(state.params, inspections[1].grads),
        diagnostics.norms(state.params),
        inspections[1],
    )


def tables(inside: Inside) -> str:
    """The document's tables as text."""
    activations = [
        (f"{a.layer}", a.name, f"{a.mean:+.2f}", f"{a.std:.2f}", f"{a.saturation:.2f}", a.dead)
        for a in inside.activations
    ]
    gradients = [(f"{g.layer}", g.name, f"{g.mean:+.6f}", f"{g.std:.2e}") for g in inside.gradients]
    rows = [
        (
            w.name,
            " x ".join(map(str, w.shape)),
            f"{w.mean:+.1e}",
            f"{w.std:.2e}",
            f"{w.ratio:.2e}",
            f"{inside.norms[w.name]:.2f}",
        )
        for w in inside.weights
    ]
    return "\n\n".join(
        [
            table(["tanh layer", "name", "mean", "std", "saturated %", "dead units"], activations),
            table(["tanh layer", "name", "gradient mean", "gradient std"], gradients),
            table(["weights", "shape", "grad mean", "grad std", "grad:data", "norm"], rows),
        ]
    )


def health_lines(findings: Sequence[Finding]) -> str:
    """A line for each finding, or one that there is none."""
    if not findings:
        return "Healthy: nothing found."
    return "\n".join(
        f"Finding: {f.symptom}, {f.where}: {f.figure:.3g} (limit {f.threshold:.3g}); try {f.remedy}."
        for f in findings
    )


if __name__ == "__main__":
    main("experiments.diagnose", Options, program)
