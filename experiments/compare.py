"""Compare runs: `python -m experiments.compare RUN RUN ...`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from mmjax import plots
from mmjax.cli.program import main
from mmjax.errors import require
from mmjax.io.text import Cell, Table
from mmjax.report import drawing
from mmjax.runs.reading import read_config, read_instruments, read_metrics, read_summary
from mmjax.runs.seeds import curves


@dataclass(frozen=True)
class Options:
    """Compare the settings, final figures and losses of runs.

    It shows the settings that differ and the final figures, and draws the losses in one picture and
    the instruments in another.
    """

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Compare these run folders of experiments.mlp, experiments.bigram or experiments.counting, two
    or more. The picture has the runs that were trained."""
    out: Path = Path("runs/compare.svg")
    """Write the picture of the losses to this file, .svg or .png; that of the instruments has
    -instruments in its name."""

    def __post_init__(self):
        require(len(self.runs) > 1, "give two or more run folders to compare")
        require(
            self.out.suffix in (".svg", ".png"),
            f"{self.out}: give the picture a name with .svg or .png",
        )


def program(options: Options) -> int:
    """Read, show and draw; return the exit status."""
    runs = dict(zip(labels(options.runs), options.runs, strict=True))
    settings = {label: shown(read_config(run)) for label, run in runs.items()}
    summaries = {label: read_summary(run) for label, run in runs.items()}
    lines = losses(runs)
    # The folder of a run does not affect its training.
    different = [
        row
        for row in rows(settings)
        if row[0] != "out" and any(value != row[1] for value in row[2:])
    ]
    final = [row for row in rows(summaries) if any(isinstance(value, float) for value in row)]
    if different:
        print(f"Settings that differ\n{Table(['', *runs], different)}\n")
    else:
        print("The settings are the same.\n")
    print(f"Final figures\n{Table(['', *runs], final)}\n")
    drawing.write_picture(plots.losses_compared(lines), options.out)
    print(options.out)
    gauges = {label: measured for label, run in runs.items() if (measured := read_instruments(run))}
    if gauges:
        beside = options.out.with_stem(f"{options.out.stem}-instruments")
        drawing.write_picture(plots.cockpit(gauges), beside)
        print(beside)
    return 0


def labels(runs: Sequence[Path]) -> list[str]:
    """Return a label for each run.

    It is the name of the folder, or the path if two folders have the same name. Raises `InputError`
    if a run is given twice.
    """
    names = Counter(run.resolve().name for run in runs)
    labels = [name if names[name := run.resolve().name] == 1 else str(run) for run in runs]
    require(len({*labels}) == len(labels), "a run is given twice; give each once")
    return labels


def rows(runs: Mapping[str, Mapping[str, Any]]) -> list[tuple[Cell, ...]]:
    """Return one row for every key of any run, with each run's value."""
    keys = dict.fromkeys(key for run in runs.values() for key in run)
    return [(key, *(run.get(key) for run in runs.values())) for key in keys]


def shown(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return settings as text, as on the command line."""
    return {
        key: f"{value:g}" if isinstance(value, float) else str(value)
        for key, value in settings.items()
        if value is not None
    }


def losses(runs: Mapping[str, Path]) -> dict[str, dict[str, np.ndarray]]:
    """Return the losses over steps and seconds of each run that has any.

    Raises `InputError` if no run has any.
    """
    records = {label: read_metrics(run) for label, run in runs.items()}
    require(
        any(records.values()),
        f"{', '.join(map(str, runs.values()))}: have no metrics to compare; train with --steps of 1 "
        "or more",
    )
    return {label: curves(lines) for label, lines in records.items() if lines}


if __name__ == "__main__":
    main("python -m experiments.compare", Options, program)
