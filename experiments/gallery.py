"""Draw each instrument on a healthy and on a sick run: `python -m experiments.gallery`."""

from dataclasses import dataclass, replace
from pathlib import Path

from experiments.exhibits.curves import CURVES
from experiments.exhibits.exhibit import Exhibit, Sample, picture, sample
from experiments.exhibits.layers import LAYERS
from experiments.exhibits.predictions import PREDICTIONS
from experiments.faultbench.bench import CASES
from mmjax import corpus
from mmjax.cli.program import main
from mmjax.errors import require
from mmjax.io.text import Table
from mmjax.report.drawing import write_picture

EXHIBITS = (*CURVES, *LAYERS, *PREDICTIONS)


@dataclass(frozen=True)
class Options:
    """Draw the pictures of docs/instruments, and print the figures that stand there.

    Each picture has the lecture's network after 1,000 steps, and the same with a fault of
    experiments.faults.
    """

    names: Path = Path("data/names.txt")
    """The list of names."""
    out: Path = Path("runs/gallery")
    """Write the pictures to this folder."""
    only: str = ""
    """Instruments whose name contains this."""
    fault: str = ""
    """Take this setting of experiments.faults as the sick run of all of them."""


def program(options: Options) -> int:
    """Train, draw and print; return the exit status."""
    corpus.read_names(options.names)  # so that a missing list is refused before any training
    chosen = [exhibit for exhibit in EXHIBITS if options.only in exhibit.name]
    require(
        bool(chosen), f"--only {options.only}: give one of {', '.join(e.name for e in EXHIBITS)}"
    )
    if options.fault:
        require(
            options.fault in CASES, f"--fault {options.fault}: is no setting of experiments.faults"
        )
        chosen = [replace(exhibit, fault=options.fault) for exhibit in chosen]
    healthy = sample("", str(options.names))
    rows = [shown(exhibit, healthy, options) for exhibit in chosen]
    print(Table(["instrument", "healthy", "sick", "fault"], rows))
    print(f"\n{options.out}: {', '.join(f'{exhibit.name}.svg' for exhibit in chosen)}")
    return 0


def shown(exhibit: Exhibit, healthy: Sample, options: Options) -> tuple[str, ...]:
    """Draw an instrument; return its row of the table."""
    sick = sample(exhibit.fault, str(options.names))
    write_picture(picture(exhibit, healthy, sick), options.out / f"{exhibit.name}.svg")
    figures = [f"{exhibit.measure(run):.3g}" for run in (healthy, sick)]
    return exhibit.name, *figures, exhibit.fault


if __name__ == "__main__":
    main("python -m experiments.gallery", Options, program)
