"""The list that tells which sampled names are new."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from mmjax.commands import name_list
from mmjax.commands.name_list import Known
from mmjax.commands.sample_options import Options
from mmjax.data.encoded import Encoded
from mmjax.errors import InputError, require
from mmjax.generate.beam import Scored
from mmjax.generate.sample import Sample
from mmjax.runs import sampled

MORE, MOST = 64, 2**14  # names that are looked up together
GIVE_UP = 100_000  # names in a row of which none is wanted
Drawn = TypeVar("Drawn", Sample, Scored)


def known_names(options: Options) -> Known | None:
    """Return the list that tells which names are new, None for a file outside a run folder.

    Raises `InputError` if a list is missing that the options need.
    """
    try:
        folder = options.run if options.run.is_dir() else options.run.parent
        return name_list.of_run(folder, options.names)
    except InputError as error:
        require(not options.names and not options.run.is_dir(), str(error))
        require(not options.new_only, f"{error}; --new-only needs it")
        return None


def unlisted(drawn: Iterable[Drawn], source: Encoded, asked: int) -> Iterator[Drawn]:
    """Yield the drawn names that do not stand in a list on the disk.

    The list is read once for about as many names as are asked for. Raises `InputError` after
    `GIVE_UP` listed names in a row.
    """
    row, drawn, trouble = 0, iter(drawn), None
    while trouble is None:
        some: list[Drawn] = []
        try:
            some.extend(islice(drawn, min(2 * asked + MORE, MOST)))
        except InputError as error:  # there may be names before it
            trouble = error
        if not some:
            break
        held = sampled.listed(source, [each.name for each in some])
        new = [each for each in some if each.name not in held]
        row = 0 if new else row + len(some)
        require(
            row < GIVE_UP,
            f"the last {row:,} names drawn are all in the list; raise --temperature, or give another "
            "--prefix",
        )
        yield from new
    if trouble:
        raise trouble
