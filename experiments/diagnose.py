"""Look inside a trained model: `python -m experiments.diagnose RUN`."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import tyro

from experiments import inside, report
from experiments.program import main, split_with_unseen
from experiments.report import Report
from experiments.run_folder import (
    FIGURES,
    REPORT,
    model_of,
    read_config,
    read_metrics,
    read_summary,
)
from experiments.training import training_data
from mmjax import Predictor, Vocab, corpus, mlp, train, weights


@dataclass(frozen=True)
class Options:
    """Show a saved run from inside: tables, pictures, a report, and what is unhealthy about it.

    Of an MLP activations are those of 8,192 training examples, gradients those of one training batch; of a
    bigram its table is held against counting. The pictures go into the run's folder, under figures/, the
    report beside them.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """A run folder of experiments.mlp or experiments.bigram."""
    names: Path | None = None
    """The list; by default the one that the model was trained on."""


def program(options: Options) -> int:
    """Load, look, show and draw; the exit status."""
    run = options.run
    predictor, vocab = weights.load(model_of(run))
    saved = read_config(
        run, ["names", "unique"] if isinstance(predictor.model, mlp.MLP) else ["names"]
    )
    names = corpus.read_names(options.names or saved["names"], unique=saved.get("unique", False))
    made = report_on(run, predictor, vocab, names)
    tables = [table for section in made.sections[:-1] for table in section.tables.items()]
    print("\n\n".join(f"{title}\n{table}" for title, table in tables))
    print(f"\n{inside.health_lines(made.findings)}")
    report.write(made, run)
    pictures = [f"{picture.name}.svg" for section in made.sections for picture in section.pictures]
    print(f"\n{run / REPORT}\n{run / FIGURES}: {', '.join(pictures)}")
    return 0


def report_on(run: Path, predictor: Predictor, vocab: Vocab, names: list[str]) -> Report:
    """The report that the run's own program would write."""
    if not isinstance(predictor.model, mlp.MLP):
        return report.of_bigram(run, predictor, vocab, names)
    fast = read_config(run).get("recipe") == "fast"
    kind: type[train.Recipe] = train.Fast if fast else train.Config
    recipe_options = [field.name for field in fields(kind)]
    saved = read_config(run, ["seed", "split_seed", "shuffles", *recipe_options])
    recipe = kind(**{name: saved[name] for name in recipe_options})
    parts = split_with_unseen(names, seed=saved["split_seed"], shuffles=saved["shuffles"])
    tokens = {name: corpus.encode(vocab, part) for name, part in parts.items()}
    config: Any = predictor.model
    records = read_metrics(run)
    state = train.init(config, recipe, jax.random.key(saved["seed"]))._replace(
        step=jnp.asarray(records[-1]["step"] if records else 0, jnp.int32),
        params=predictor.params,
        stats=predictor.stats,
    )
    seen = inside.look(config, recipe, state, training_data(config, recipe, tokens["train"]))
    needed = ["initial_loss", "final_loss", "stopped_at_step", "loss_train", "loss_val"]
    findings = inside.findings(seen, records, read_summary(run, needed))
    return report.of_mlp(run, predictor, vocab, tokens, seen, findings)


if __name__ == "__main__":
    main("experiments.diagnose", Options, program)
