"""The space of a search: options that differ, options that do not, and the trials in it.

A space is a TOML file:

    [fixed]                 # the same in every trial
    recipe = "fast"
    steps = 2000

    [space]                 # a list of values, or a range
    learning_rate = { low = 0.002, high = 0.2, log = true }
    hidden_size = [50, 100, 200]

    [search]                # the fields of `Search`
    trials = 64

The options are those of `mlp.MLP` and `train.Recipe`.
"""

import itertools
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmjax.errors import InputError, require, require_ranges, said
from mmjax.io import files
from mmjax.models.mlp import MLP
from mmjax.search.choices import Choice, Range, option_of
from mmjax.train import RECIPES, Recipe

MOST = 100_000  # trials


@dataclass(frozen=True)
class Search:
    """How a space is searched."""

    method: str = "sobol"
    """How trials are placed: sobol (a Sobol sequence, evenly spread) or grid (every combination)."""
    trials: int = 32
    """Number of trials; a grid ignores it."""
    first_rung: int = 0
    """Steps after which the worst trials stop for the first time; 0 stops none early."""
    keep: float = 0.25
    """Part of the trials that goes on after a rung, each to 1 / keep times as many steps."""
    finalists: int = 3
    """Number of best trials that are trained again with other seeds."""
    slots: int = 16
    """Networks trained together, at most."""

    def __post_init__(self):
        """Raise `InputError` if a number is out of range or the method is unknown."""
        require(
            self.method in ("sobol", "grid"), f"method must be sobol or grid, not {self.method!r}"
        )
        require_ranges(
            self,
            trials=(1, MOST),
            first_rung=(0, 2**31 - 1),
            keep=(0.01, 0.9),
            finalists=(1, 1_000),
            slots=(1, 65_536),
        )
        require(
            self.first_rung % 2 == 0, f"first_rung must be an even number, not {self.first_rung}"
        )


class Space(NamedTuple):
    """What a file describes."""

    recipe: str
    """Name of the recipe whose settings the others replace."""
    fixed: Mapping[str, Any]
    """Options that are the same in every trial."""
    options: Mapping[str, Choice | Range]
    search: Search


class Trial(NamedTuple):
    """A network and a recipe to try."""

    number: int
    options: Mapping[str, Any]
    """Values of the options that differ between trials."""
    model: MLP
    recipe: Recipe


def read(path: Path) -> Space:
    """Return the space that a TOML file describes.

    Raises `InputError` if the file cannot be read, is not TOML, has an unknown option or table, or
    a value that its option cannot have.
    """
    try:
        text = files.read(path, "give a TOML file with a table [space]")
        content = tomllib.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not TOML: {said(error)}") from None
    try:
        return _space(content)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _space(content: Mapping[str, Any]) -> Space:
    for name, table in content.items():
        require(
            name in ("fixed", "space", "search"),
            f"{name} is not known here; the tables are [fixed], [space] and [search]",
        )
        require(isinstance(table, dict), f"{name} must be a table: write [{name}]")
    fixed = dict(content.get("fixed", {}))
    recipe = fixed.pop("recipe", "lecture")
    require(
        isinstance(recipe, str) and recipe in RECIPES,
        f"[fixed] recipe must be one of {', '.join(RECIPES)}, not {recipe!r}",
    )
    own = {name: option_of(name, [value], "fixed").choices[0] for name, value in fixed.items()}
    options = {
        name: option_of(name, value, "space") for name, value in content.get("space", {}).items()
    }
    require(
        bool(options), "[space] has no options; give at least one, such as hidden_size = [50, 100]"
    )
    twice = [name for name in options if name in own]
    require(not twice, f"{', '.join(twice)} stands in both [fixed] and [space]; remove one")
    settings = content.get("search", {})
    known = [field.name for field in fields(Search)]
    unknown = [name for name in settings if name not in known]
    require(not unknown, f"[search] has no {', '.join(unknown)}; it has {', '.join(known)}")
    return Space(recipe, own, options, Search(**settings))


def trials(space: Space, vocab_size: int, seed: int) -> tuple[list[Trial], list[str]]:
    """Return (trials, reasons why others were left out).

    Combinations of options that the network or the recipe refuses are left out, and so are repeated
    ones. Raises `InputError` if no trial is left, or there are too many.
    """
    placed = _grid(space) if space.search.method == "grid" else _sobol(space, seed)
    distinct = {repr(options): options for options in placed}
    found, refused = [], []
    for options in distinct.values():
        try:
            found.append(trial(space, options, vocab_size, len(found)))
        except InputError as error:
            refused.append(str(error))
    require(bool(found), f"no combination of the options is possible: {(refused or [''])[0]}")
    return found, refused


def trial(space: Space, options: Mapping[str, Any], vocab_size: int, number: int) -> Trial:
    """Return the trial with these values of the space's options.

    Raises `InputError` if the network or the recipe refuses them.
    """
    recipe = asdict(RECIPES[space.recipe]) | {"early_stopping": False}
    given = {**recipe, **space.fixed, **options}

    def own(kind: Any) -> dict[str, Any]:
        known = {field.name for field in fields(kind)}
        return {name: value for name, value in given.items() if name in known}

    require(
        not given["early_stopping"],
        "early_stopping does not go with a search, which stops trials by itself",
    )
    model = MLP(**{**own(MLP), "vocab_size": vocab_size})
    return Trial(number, options, model, Recipe(**own(Recipe)))


def _grid(space: Space) -> list[dict[str, Any]]:
    for name, option in space.options.items():
        require(
            not isinstance(option, Range) or option.points > 0,
            f"[space] {name}: a grid needs points, such as {{ low = 1, high = 3, points = 5 }}",
        )
    values = [option.values() for option in space.options.values()]
    count = int(np.prod([len(each) for each in values], dtype=object))
    require(
        count <= MOST, f"the grid has {count:,} combinations, more than {MOST:,}; give fewer values"
    )
    return [dict(zip(space.options, each, strict=True)) for each in itertools.product(*values)]


def _sobol(space: Space, seed: int) -> list[dict[str, Any]]:
    from scipy.stats import qmc  # takes half a second

    count = space.search.trials
    sequence = qmc.Sobol(len(space.options), scramble=True, rng=np.random.default_rng(seed))
    # Sobol sequences are balanced at powers of two.
    points = sequence.random_base2(max(0, (count - 1).bit_length()))[:count]
    return [
        {
            name: option.at(float(u))
            for (name, option), u in zip(space.options.items(), point, strict=True)
        }
        for point in points
    ]
