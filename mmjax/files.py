"""Writing files whole or not at all."""

import os
from pathlib import Path

from mmjax.errors import InputError


def write(path: str | Path, data: bytes | str) -> None:
    """Put `data` (a str as UTF-8) into the file `path`, which holds the old content until it holds all of the new.

    Raises `InputError` if that cannot be done.
    """
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            unfinished.write_bytes(data.encode() if isinstance(data, str) else data)
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
