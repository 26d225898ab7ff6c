"""Find a learning rate: `python -m experiments.rates --help`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import jax
import numpy as np

from mmjax import corpus, mlp, plots, train, vocab
from mmjax.cli.devices import a_device_for_each_core
from mmjax.cli.options import with_defaults
from mmjax.cli.program import main
from mmjax.commands.name_list import NameList
from mmjax.commands.train_options import Model, Settings, recipe_named
from mmjax.errors import require_ranges
from mmjax.report import drawing
from mmjax.runs.environment import environment
from mmjax.runs.folder import RunFolder


@dataclass(frozen=True)
class Options:
    """Find a learning rate for a network and a recipe.

    A few short runs train while the learning rate grows from a millionth of --highest to --highest.
    The rate with the lowest loss is already too high to train with; the program proposes a tenth.
    """

    name_list: NameList
    recipe: Settings
    model: Model
    out: Path = Path("runs/rates")
    """Write rates.json and rates.svg to this folder."""
    seed: int = 0
    """Seed of the first run."""
    seeds: int = 4
    """Number of runs, whose losses are averaged."""
    highest: float = 10.0
    """The last and highest learning rate."""
    test_steps: int = 1_000
    """Steps of each run."""

    def __post_init__(self):
        require_ranges(
            self,
            seed=(0, 2**31),
            seeds=(1, 1_000),
            highest=(1e-6, 1e6),
            test_steps=(100, 1_000_000),
        )


def program(options: Options) -> int:
    """Test the rates, show and save; return the exit status."""
    a_device_for_each_core(options.seeds)
    names = options.name_list.read()
    letters = vocab.build(names)
    tokens = corpus.encode(letters, corpus.split(names).train)
    model = mlp.MLP(**asdict(replace(options.model, vocab_size=letters.size)))
    seeds = np.arange(options.seed, options.seed + options.seeds, dtype=np.uint32)
    keys = jax.vmap(jax.random.key)(seeds)
    folder = RunFolder(options.out, options)
    found = train.rate_test(
        *(model, options.recipe.plain(), keys, tokens),
        highest=options.highest,
        steps=options.test_steps,
    )
    loss = float(np.nanmin(found.losses))
    print(
        f"The loss is lowest, {loss:.4f} nats per character, at a learning rate of {found.lowest:.2g}.\n"
        f"Proposed: --learning-rate {found.proposed:.1g}"
    )
    figures = {"lowest_at": found.lowest, "proposed": found.proposed, "lowest_loss": loss}
    curve = {"rates": found.rates.tolist(), "losses": [*map(_number, found.losses)]}
    folder.write_json("rates.json", {**figures, **curve, **environment()})
    picture = plots.rate_test(found.rates, found.losses, proposed=found.proposed)
    drawing.write_picture(picture, options.out / "rates.svg")
    print(f"\n{options.out}: rates.json, rates.svg")
    return 0


def _number(loss: float) -> float | None:
    return float(loss) if np.isfinite(loss) else None


def of_recipe(arguments: Sequence[str]) -> type[Options]:
    """Return the options, with the defaults of the recipe that a command line names."""
    return with_defaults(Options, recipe=recipe_named(arguments))


if __name__ == "__main__":
    main("python -m experiments.rates", of_recipe, program)
