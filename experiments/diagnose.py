"""Look inside a trained model: `python -m experiments.diagnose RUN`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from mmjax import bigram, mlp, report, weights
from mmjax.cli.program import main
from mmjax.commands import remedies
from mmjax.commands.reopened import read_bigram, read_mlp
from mmjax.errors import require
from mmjax.report.snapshot import health_lines
from mmjax.runs.layout import FIGURES, PLAYGROUND, REPORT
from mmjax.runs.reading import model_of
from mmjax.runs.result import RunResult


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
    instruments: bool = False
    """Also measure the sharpness and the reach of a step (docs/instruments)."""
    tried: Annotated[bool, tyro.conf.arg(name="try")] = False
    """Try the remedy of each finding: train again from the start, for --try-steps, with and without it,
    and compare the validation losses."""
    try_steps: int = 1_000
    """Steps of each trial, at most those of the run."""


def program(options: Options) -> int:
    """Load a run, inspect, show and draw it; return the exit status."""
    run = options.run
    require(options.try_steps >= 2, f"--try-steps must be at least 2, not {options.try_steps}")
    predictor, vocab = weights.load(model_of(run))
    if isinstance(predictor.model, mlp.MLP):
        result = read_mlp(run, predictor, vocab, options.names, instruments=options.instruments)
        made = report.of_mlp(result)
    else:
        is_bigram = isinstance(predictor.model, bigram.Bigram)
        require(is_bigram, f"{run}: is no run of experiments.mlp or experiments.bigram; give one")
        require(not options.tried, f"{run}: is a bigram, for which there is nothing to try")
        require(not options.instruments, f"{run}: is a bigram; leave out --instruments")
        result = read_bigram(run, predictor, vocab, options.names)
        made = report.of_bigram(result)
    tables = [table for section in made.sections[:-1] for table in section.tables.items()]
    print("\n\n".join(f"{title}\n{table}" for title, table in tables))
    print(f"\n{health_lines(made.findings or ())}")
    playground = PLAYGROUND if (run / PLAYGROUND).exists() else ""
    report.write(made._replace(playground=playground), run)
    pictures = [f"{picture.name}.svg" for section in made.sections for picture in section.pictures]
    print(f"\n{run / REPORT}\n{run / FIGURES}: {', '.join(pictures)}")
    if options.tried and isinstance(result, RunResult):
        print(f"\n{try_remedies(result, options.try_steps)}")
    return 0


def try_remedies(result: RunResult, steps: int) -> str:
    """Return lines on what each finding's remedy does to the validation loss."""
    if not result.findings:
        return "There is no finding, so there is no remedy to try."
    found = remedies.trials(result.settings, result.findings, result.tokens, steps)
    return remedies.lines(found, result.settings)


if __name__ == "__main__":
    main("python -m experiments.diagnose", Options, program)
