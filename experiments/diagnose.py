"""Look inside a trained network: `python -m experiments.diagnose RUN`."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from experiments.program import main, table
from experiments.run_folder import MODEL, read_config
from mmjax import corpus, diagnostics, mlp, train, weights
from mmjax.diagnostics import Activation, Finding, Gradient, WeightGradient
from mmjax.errors import require

LOOK = (
    1_024  # examples on which activations are measured; gradients are those of one training batch
)


class Inside(NamedTuple):
    """The document's three tables, and the parameters' norms."""

    activations: list[Activation]
    gradients: list[Gradient]
    weights: list[WeightGradient]
    norms: dict[str, float]


@dataclass(frozen=True)
class Options:
    """Show a saved MLP from inside: activations, gradients, weights, and what is unhealthy about them.

    Activations are those of 1,024 training examples, gradients those of one training batch.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """A run folder of experiments.mlp."""
    names: Path | None = None
    """The list; by default the one that the model was trained on."""


def program(options: Options) -> int:
    """Load, look and show; the exit status."""
    predictor, vocab = weights.load(options.run / MODEL)
    require(predictor.model is mlp, f"{options.run}: holds no MLP; give a run of experiments.mlp")
    recipe_options = [field.name for field in fields(train.Config)]
    needed = ["names", "unique", "seed", "split_seed", "shuffles", *recipe_options]
    saved = read_config(options.run, needed)
    names = corpus.read_names(options.names or saved["names"], unique=saved["unique"])
    splits = corpus.split(names, seed=saved["split_seed"], shuffles=saved["shuffles"])
    recipe = train.Config(**{name: saved[name] for name in recipe_options})
    config: Any = predictor.config
    state = train.init(mlp, config, recipe, jax.random.key(saved["seed"]))
    state = state._replace(
        step=jnp.asarray(recipe.steps, jnp.int32), params=predictor.params, stats=predictor.stats
    )
    inside = look_inside(config, recipe, state, corpus.encode(vocab, splits.train))
    print(tables(inside))
    print(f"\n{health_lines(diagnostics.health(inside.activations, inside.gradients))}")
    return 0


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
