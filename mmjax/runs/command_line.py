"""Commands to type next: how the programs are called."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmjax.models.mlp import MLP
from mmjax.train import RECIPES

EXPERIMENTS = {
    "train": "python -m experiments.mlp --names",
    "sample": "python -m experiments.sample",
    "bigram": "python -m experiments.bigram --names",
}
_programs = dict(EXPERIMENTS)
# The defaults of the programs.
LIST = {"unique": False, "column": None, "header": False, "lower": False}
SPLIT = {**LIST, "split_seed": 42, "shuffles": 2}


def use(programs: Mapping[str, str]) -> None:
    """Name these programs in commands from now on, such as `{"train": "mmjax train"}`."""
    _programs.update(programs)


def name() -> str:
    """Return the name of the program that trains, as its messages have it."""
    return _programs["train"].removeprefix("python -m ").removesuffix(" --names")


def sample(folder: str | Path, *options: str) -> str:
    """Return the command that samples from a run."""
    return f"{_programs['sample']} {shlex.join([_short(folder), *options])}"


def resume(settings: Mapping[str, Any]) -> str:
    """Return the command that resumes a run."""
    out = _short(settings["out"])
    config = _short(Path(settings["out"]) / "config.json")
    return " ".join(
        [
            _programs["train"],
            shlex.join([_short(settings["names"]), "--config", config, "--out", out]),
            "--resume",
        ]
    )


def train(settings: Mapping[str, Any], **changes: Any) -> str:
    """Return the command that trains again with changed options, into a folder of its own.

    A new `recipe` replaces the settings of the old one. Options that have their default are left
    out. The recipe auto chooses the network, so its options are left out, too.
    """
    recipe = changes.get("recipe", settings.get("recipe", "lecture"))
    defaults = SPLIT | asdict(MLP()) | asdict(RECIPES.get(recipe, RECIPES["lecture"]))
    kept = SPLIT if recipe == "auto" else SPLIT | asdict(MLP())
    kept |= {} if "recipe" in changes else defaults
    options = {name: settings[name] for name in kept if name in settings} | changes
    words = []
    for name, value in options.items():
        given = tuple(value) if isinstance(value, list) else value
        if name != "vocab_size" and (name not in defaults or given != defaults[name]):
            words += _words(name, given)
    named = ["--recipe", recipe] * ("recipe" not in changes)
    out = ["--out", _next(_short(settings["out"]))]
    return f"{_programs['train']} {shlex.join([_short(settings['names']), *named, *words, *out])}"


def bigram(settings: Mapping[str, Any], **changes: Any) -> str:
    """Return the command that trains a bigram again with changed options."""
    words = [word for name, value in changes.items() for word in _words(name, value)]
    out = ["--out", _next(_short(settings["out"]))]
    return f"{_programs['bigram']} {shlex.join([_short(settings['names']), *words, *out])}"


def _words(name: str, value: Any) -> list[str]:
    option = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{option}" if value else f"--no-{option}"]
    values = value if isinstance(value, tuple) else (value,)
    return [f"--{option}", *(f"{v:g}" if isinstance(v, float) else str(v) for v in values)]


def _short(path: str | Path) -> str:
    """Return a path from the working directory where that is shorter."""
    path = str(path)
    try:
        relative = os.path.relpath(path)
    except ValueError:  # another drive
        return path
    return min(relative, path, key=len)


def _next(folder: str) -> str:
    """Return another name for a run folder: a, a-2, a-3."""
    stem, _, number = folder.rpartition("-")
    return f"{stem}-{int(number) + 1}" if stem and number.isdecimal() else f"{folder}-2"
