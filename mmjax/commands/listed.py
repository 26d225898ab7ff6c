"""The list that tells which sampled names are new."""

from mmjax.commands import name_list
from mmjax.commands.sample_options import Options
from mmjax.errors import InputError, require


def known_names(options: Options) -> list[str] | None:
    """Return the list that tells which names are new.

    None for a file outside a run folder, and for a list that is too long to look up every name.
    Raises `InputError` if a list is missing that the options need.
    """
    try:
        folder = options.run if options.run.is_dir() else options.run.parent
        known = name_list.of_run(folder, options.names)
    except InputError as error:
        require(not options.names and not options.run.is_dir(), str(error))
        require(not options.new_only, f"{error}; --new-only needs it")
        return None
    require(
        known.whole or not options.new_only,
        f"{options.run}: its list is too long to look up every name; leave out --new-only",
    )
    return known.names if known.whole else None
