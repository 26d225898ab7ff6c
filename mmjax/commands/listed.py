"""The list that tells which sampled names are new."""

from mmjax.commands import name_list
from mmjax.commands.sample_options import Options
from mmjax.errors import InputError, require


def known_names(options: Options) -> list[str] | None:
    """Return the list that tells which names are new, None for a file outside a run folder.

    Raises `InputError` if a list is missing that the options need.
    """
    if options.run.is_dir():
        return name_list.of_run(options.run, options.names)
    try:
        return name_list.of_run(options.run.parent, options.names)
    except InputError as error:
        require(not options.names, str(error))
        require(not options.new_only, f"{error}; --new-only needs it")
        return None
