"""Files: checked when read, written completely or not at all."""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from mmjax.errors import InputError, require
from mmjax.io import memory

UNFINISHED = ".tmp"  # suffix of a file that is being written
DISK_FAILED = (errno.EIO, errno.ENOSPC, errno.EDQUOT)


def read(path: str | Path, hint: str, *, weight: float = 1) -> bytes:
    """Return all bytes of a regular file.

    `weight` is the memory, in bytes, that each byte of the file will take. Raises `InputError` if
    the file is missing, is a folder, a pipe or a device, cannot be read, is too large for the
    memory, or changes while it is read. If it is missing or a folder, the message ends with `hint`.
    """
    try:
        # O_NONBLOCK: if the path is a pipe, do not wait for its other end.
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            before = os.fstat(file.fileno())
            require(
                stat.S_ISREG(before.st_mode),
                f"{path}: is a pipe or a device, not a regular file; write its content to a file first",
            )
            memory.require_room(before.st_size * weight, f"{path}: its content", "give less")
            data = file.read()
            after = os.fstat(file.fileno())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {hint}") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; {hint}") from None
    except (OSError, ValueError) as error:  # ValueError: the path has a NUL
        raise InputError(f"{path}: cannot be read: {_reason(error)}") from None
    unchanged = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    require(
        unchanged and len(data) == after.st_size,
        f"{path}: changed while it was read; try again when no program writes to it",
    )
    return data


def write(path: str | Path, data: bytes | str) -> None:
    """Write `data` to the file `path`, completely or not at all.

    A str is written as UTF-8. The file holds the old content until it holds all of the new, even
    after a crash: the data reaches the disk before it replaces the old content, and the folder
    after that. Raises `InputError` if the file cannot be written; the old content then stays,
    unless only the last part, syncing the folder, failed.
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
    """Flush the names in a folder to the disk, if the system can.

    Windows cannot open a folder, and many network shares cannot sync one; both are ignored. Raises
    OSError if the disk fails, is full or is over its quota.
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
    """Remove the unfinished files of writers that were killed.

    Call it only where no other process writes.
    """
    for file in folder.glob(f".*{UNFINISHED}"):
        with suppress(OSError):
            file.unlink()


def _reason(error: OSError | ValueError) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
