"""Files: read with care, written whole or not at all."""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from mmjax.errors import InputError, require
from mmjax.io import memory

UNFINISHED = ".tmp"  # how the names of files end that are being written
DISK_FAILED = (errno.EIO, errno.ENOSPC, errno.EDQUOT)


def read(path: str | Path, hint: str, *, weight: float = 1) -> bytes:
    """All bytes of a regular file; `weight` is how many bytes of memory each of them will take.

    Raises `InputError`, ending with `hint` where the path is a wrong one, if there is no such file, it is a folder,
    a pipe or a device, cannot be read, is too large for the memory, or changes meanwhile.
    """
    try:
        # Not waiting for the other end, should it be a pipe.
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            before = os.fstat(file.fileno())
            require(
                stat.S_ISREG(before.st_mode),
                f"{path}: is a pipe or a device, no regular file; save what it gives as a file first",
            )
            memory.require_room(before.st_size * weight, f"{path}: what is in it", "give less")
            data = file.read()
            after = os.fstat(file.fileno())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {hint}") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; {hint}") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        raise InputError(f"{path}: cannot be read: {_reason(error)}") from None
    unchanged = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    require(
        unchanged and len(data) == after.st_size,
        f"{path}: has changed while it was read; try again when nothing writes to it",
    )
    return data


def write(path: str | Path, data: bytes | str) -> None:
    """Put `data` (a str as UTF-8) into the file `path`, which holds the old content until it holds all of the new.

    So it does after a crash, too: what is written reaches the disk before it takes the old content's place, and the
    folder after that. Raises `InputError` if that cannot be done; then the old content stands.
    """
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}{UNFINISHED}")
    try:
        try:
            with unfinished.open("wb") as file:
                file.write(data.encode() if isinstance(data, str) else data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, path)
            sync_folder(path.parent)
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be written: {_reason(error)}") from None


def sync_folder(path: Path) -> None:
    """Bring the names in a folder to the disk, where the system can do that.

    Windows opens no folder, and many network shares sync none. Raises OSError if the disk fails.
    """
    try:
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        if error.errno in DISK_FAILED:
            raise


def remove_unfinished(folder: Path) -> None:
    """Remove what writers left that were killed. Only where no other process writes."""
    for file in folder.glob(f".*{UNFINISHED}"):
        with suppress(OSError):
            file.unlink()


def _reason(error: OSError | ValueError) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
