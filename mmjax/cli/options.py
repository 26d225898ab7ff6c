"""Options: from the command line, and from a run's config.json."""

import argparse
import dataclasses
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

import tyro

from mmjax.errors import InputError, require
from mmjax.io.json import read_object

Options = TypeVar("Options")


MARKERS = (
    tyro.conf.OmitArgPrefixes,
    tyro.conf.FlagCreatePairsOff,
)  # flat options; a switch has one form: --x, or --no-x if its default is True


Arguments = Sequence[str]


def option(default: Any, *, free: bool = False, inherited: bool = True) -> Any:
    """Return a dataclass field for an option.

    A resumed run may change a `free` option. --config takes only an `inherited` one from
    config.json. A plain field is inherited and not free.
    """
    return dataclasses.field(default=default, metadata={"free": free, "inherited": inherited})


def with_defaults(kind: type[Options], **defaults: Any) -> type[Options]:
    """Return a subclass of an options dataclass with other defaults.

    A default that is a class replaces the field's type, and the field then has no default.
    """
    changed = []
    for field in dataclasses.fields(cast(Any, kind)):
        if field.name in defaults:
            default = defaults[field.name]
            is_kind = isinstance(default, type)
            new = dataclasses.field(
                default=dataclasses.MISSING if is_kind else default, metadata=field.metadata
            )
            changed.append((field.name, default if is_kind else field.type, new))
    namespace = {"__doc__": kind.__doc__}
    return dataclasses.make_dataclass(
        kind.__name__, changed, bases=(kind,), frozen=True, namespace=namespace
    )


def kind_of(
    options: type[Options] | Callable[[Arguments], type[Options]], arguments: Arguments
) -> type[Options]:
    """Return the class of the options on a command line."""
    kind: Any = options if isinstance(options, type) else options(arguments)
    return kind


def chosen(name: str, arguments: Arguments) -> str | None:
    """Return the value of one option on a command line, or None.

    Errors in the command line are left to `parse`.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument(f"--{name}", nargs="?")
    return getattr(parser.parse_known_args(arguments)[0], name.replace("-", "_"))


def config_of(arguments: Arguments) -> Path | None:
    """Return the config.json to take options from, or None."""
    path = chosen("config", arguments)
    return Path(path) if path else None


def as_typed(
    path: Path, options: type[Options] | Callable[[Arguments], type[Options]]
) -> list[str]:
    """Return the options in a run's config.json as command-line arguments.

    Those that are not inherited are left out. Raises `InputError` if the file cannot be read, has
    an unknown option, or has an option of the wrong kind (true or false, a list, or a figure or
    text).
    """
    content = read_object(path)
    recipe = content.get("recipe", "")
    known = {field.name: field for field in flat(kind_of(options, [f"--recipe={recipe}"]))}
    unknown = [name for name in content if name not in known]
    require(not unknown, f"{path}: unknown option {', '.join(unknown)}; remove it")
    typed = []
    for name, value in content.items():
        option, default = name.replace("_", "-"), known[name].default
        if not known[name].metadata.get("inherited", True) or value is None or value is default:
            continue
        switch, several = isinstance(default, bool), isinstance(default, tuple)
        listed = isinstance(value, list)
        if several:
            fits, wanted = listed and all(isinstance(n, int) for n in value), "a list of numbers"
        else:
            fits = isinstance(value, bool) == switch and not listed
            wanted = "true or false" if switch else "a number or text"
        require(fits, f"{path}: {name} is {value!r}; give {wanted}")
        if several:
            typed += [f"--{option}", *map(str, value)] if value else []
        elif isinstance(value, bool):
            typed.append(f"--{option}" if value else f"--no-{option}")
        else:
            typed.append(f"--{option}={value}")
    return typed


def flat(kind: Any) -> Iterator[dataclasses.Field[Any]]:
    """Yield the fields of an options dataclass and of nested ones."""
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        if dataclasses.is_dataclass(hints[field.name]):
            yield from flat(hints[field.name])
        else:
            yield field


def parse(command: str, options: type[Options], arguments: Arguments) -> Options:
    """Return the command line's options.

    Raises `InputError` with tyro's framed message as one line.
    """
    framed = io.StringIO()
    try:
        with redirect_stderr(framed):
            return tyro.cli(options, prog=command, args=arguments, config=MARKERS)
    except SystemExit as end:
        if end.code != 2:  # --help
            raise
    lines = [line.strip("│╭╮╰╯─ ") for line in framed.getvalue().splitlines()]
    said = [line for line in lines if line and not line.startswith("For full helptext")]
    said = takewhile(lambda line: not line.startswith("Argument helptext"), said[1:])
    hint = _hint(options, arguments)
    raise InputError(f"{' '.join(said).rstrip('.')}; {hint}see {command} --help")


def about_options(message: str, options: Any) -> str:
    """Return a message with the option as it is typed, if it begins with the name of a field.

    "block_size must be ..." becomes "--block-size must be ...".
    """
    field, _, rest = message.partition(" ")
    if rest.startswith(("must ", "needs ")) and field in {known.name for known in flat(options)}:
        return f"--{field.replace('_', '-')} {rest}"
    return message


def _hint(options: Any, arguments: Arguments) -> str:
    """Return how to write a value that was taken for an option, such as -a."""
    known = {f"--{field.name.replace('_', '-')}" for field in flat(options)}
    for option, value in pairwise(arguments):
        if option in known and value.startswith("-") and value.partition("=")[0] not in known:
            return f"write {option}={value} if {value} is a value; "
    return ""
