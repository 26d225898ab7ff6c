"""Ctrl-C: the first one is noted, the second one ends the program."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Interruption:
    """Whether the user asked to stop: falsy, or true with the exit status in `status`."""

    def __init__(self) -> None:
        self.status = 0

    def __bool__(self) -> bool:
        return self.status != 0

    def stop(self, records: object) -> str | None:
        """Return why training is to end, for `train.fit`; None if it is not."""
        del records
        return "interrupted" if self else None


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Note the first Ctrl-C (or SIGTERM) within the block; the second one ends the program.

    Only the main thread can catch signals; in other threads nothing is noted.
    """
    interruption = Interruption()
    signals = (signal.SIGINT, signal.SIGTERM)

    def note(number: int, _: object) -> None:
        interruption.status = 128 + number
        restore()
        print("\nfinishing; once more to leave at once", file=sys.stderr)

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, note) for number in signals}
    try:
        yield interruption
    finally:
        restore()
