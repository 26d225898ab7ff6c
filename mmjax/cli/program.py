"""The main function of every program: options, errors and exit status."""

import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from mmjax.cli.compiled import keep_compiled
from mmjax.cli.devices import device_trouble, exact_products
from mmjax.cli.options import (
    Arguments,
    Options,
    about_options,
    as_typed,
    config_of,
    kind_of,
    parse,
)
from mmjax.errors import InputError
from mmjax.io.text import shown


def main(
    command: str,
    options: type[Options] | Callable[[Arguments], type[Options]],
    program: Callable[[Options], int],
) -> NoReturn:
    """Run `program` on the command line's options and exit.

    `command` is what a user types, such as "python -m experiments.mlp". The exit status is what
    `program` returns. `options` may be a function that returns the class
    of the options for a command line.

    Bad input, or a device that JAX cannot start, gives one line on standard error and status 2.
    Ctrl-C before or after training gives status 130.
    """
    name = command.removeprefix("python -m ")
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # notebooks have streams without it
        if reconfigure:
            # Files and pipes get UTF-8, the terminal what it can show.
            encoding = None if stream.isatty() else "utf-8"
            reconfigure(encoding=encoding, errors="backslashreplace")
    keep_compiled()
    exact_products()
    try:
        arguments = sys.argv[1:]
        saved = config_of(arguments)
        if saved:
            arguments = [*as_typed(saved, options), *arguments]
        kind = kind_of(options, arguments)
        try:
            status = program(parse(command, kind, arguments))
        except InputError as error:
            raise InputError(about_options(str(error), kind)) from None
        print(end="", flush=True)
    except InputError as error:
        print(f"{name}: {shown(str(error))}", file=sys.stderr)
        status = 2
    except (RuntimeError, AssertionError) as error:
        trouble = device_trouble(error)
        if trouble is None:
            raise
        print(f"{name}: {shown(trouble)}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt as stop:
        print(f"{name}: interrupted{stop}", file=sys.stderr)
        status = 128 + signal.SIGINT
    except BrokenPipeError:  # the reader has closed our output, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status)
