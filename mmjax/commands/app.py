"""The command `mmjax`: `mmjax train LIST`, `mmjax sample RUN` and so on."""

import io
import sys
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NoReturn, Union, cast

import tyro

from mmjax.cli.options import MARKERS, Arguments, chosen, kind_of, with_defaults
from mmjax.cli.program import main
from mmjax.commands import encode, open, sample, score, train
from mmjax.commands.auto_options import AutoOptions, BlendedLists
from mmjax.commands.name_list import SplitList
from mmjax.commands.train_options import of_recipe
from mmjax.data import corpus
from mmjax.runs import command_line
from mmjax.version import __version__

HELP = """\
usage: mmjax COMMAND ...

  mmjax train names.txt                     find a model for a list of names
  mmjax sample runs/names -n 50 --new-only  draw new names from it

  mmjax score runs/names NAME...            how likely a name is, by letter
  mmjax open runs/names                     open a run's pages in the browser
  mmjax encode names.txt OUT                encode a list larger than the memory
  mmjax demo                                train on the list of this library
  mmjax completion bash                     completions for bash or zsh

mmjax COMMAND --help shows the options of a command; mmjax --version."""
OUT = Path("runs/LIST")  # LIST stands for the name of the list
RUNS = Path("runs")


@dataclass(frozen=True)
class Given(SplitList):
    """The list of names, as the first argument."""

    names: Annotated[Path, tyro.conf.Positional] = field(metadata={"free": True})
    """Read the names from this UTF-8 text file, which has one name per line; or give --column."""


@dataclass(frozen=True)
class GivenLists(BlendedLists):
    """The lists of names, as arguments."""

    names: Annotated[Path, tyro.conf.Positional] = field(metadata={"free": True})
    """Read the names from this UTF-8 text file, which has one name per line; or give --column."""
    others: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """Lists to blend with the first one. A model is found for each, and the names that all of them
    find likely are likely."""


class Command(NamedTuple):
    """The options of a command, and what it does with them."""

    options: type[Any] | Callable[[Arguments], type[Any]]
    program: Callable[[Any], int]


def of_train(arguments: Arguments) -> type[Any]:
    """Return the options of `mmjax train`, with the defaults of the recipe that is given."""
    named = chosen("recipe", arguments) or "auto"
    if named == "auto":
        return with_defaults(AutoOptions, name_list=GivenLists, out=OUT)
    return with_defaults(of_recipe(arguments), name_list=Given, out=OUT)


def of_demo(arguments: Arguments) -> type[Any]:
    """Return the options of `mmjax demo`: those of the recipe auto, on the shipped list."""
    del arguments
    shipped = with_defaults(BlendedLists, names=corpus.shipped_list())
    return with_defaults(AutoOptions, name_list=shipped, out=RUNS / "demo")


def train_list(options: Any) -> int:
    """Train into a folder that has the name of the list, unless another is given."""
    if options.out == OUT:
        options = replace(options, out=RUNS / options.name_list.names.stem)
    return train.program(options)


def of_sample(arguments: Arguments) -> type[Any]:
    """Return the options of `mmjax sample`, which shows each name once."""
    del arguments
    return with_defaults(sample.Options, unique=True)


COMMANDS = {
    "train": Command(of_train, train_list),
    "sample": Command(of_sample, sample.program),
    "score": Command(score.Options, score.program),
    "open": Command(open.Options, open.program),
    "demo": Command(of_demo, train.program),
    "encode": Command(encode.Options, encode.program),
}
SHELLS = ("bash", "zsh")


def run() -> NoReturn:
    """Run the command that the command line names, and exit."""
    name, arguments = (sys.argv[1], sys.argv[2:]) if sys.argv[1:] else ("--help", [])
    if name in ("-h", "--help"):
        print(HELP)
    elif name == "--version":
        print(__version__)
    elif name == "completion":
        if len(arguments) != 1 or arguments[0] not in SHELLS:
            print("mmjax completion: give a shell, bash or zsh", file=sys.stderr)
            sys.exit(2)
        print(completion(arguments[0]))
    elif name in COMMANDS:
        sys.argv = [f"mmjax {name}", *arguments]
        command_line.use({"train": "mmjax train", "sample": "mmjax sample"})
        main(f"mmjax {name}", *COMMANDS[name])
    else:
        known = ", ".join([*COMMANDS, "completion bash"])
        print(f"mmjax: no command {name!r}; give one of {known}; see mmjax --help", file=sys.stderr)
        sys.exit(2)
    sys.exit(0)


def completion(shell: str) -> str:
    """Return a shell's script that completes the commands and their options."""
    kinds = [
        Annotated[kind_of(command.options, []), tyro.conf.subcommand(name)]
        for name, command in COMMANDS.items()
    ]
    script = io.StringIO()
    with redirect_stdout(script), suppress(SystemExit):
        tyro.cli(
            cast(Any, Union[tuple(kinds)]),  # noqa: UP007
            prog="mmjax",
            args=["--tyro-print-completion", shell],
            config=MARKERS,
        )
    return script.getvalue()
