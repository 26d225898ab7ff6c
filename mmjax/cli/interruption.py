"""Ctrl-C: the first is noted, the second ends the program."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from mmjax.runs.layout import INTERRUPTED


class Interruption:
    """A flag that becomes true when the user asks to stop.

    `status` is then the exit status.
    """

    def __init__(self) -> None:
        self.status = 0

    def __bool__(self) -> bool:
        return self.status != 0

    def stop(self, records: object) -> str | None:
        """Return the reason to end training, or None.

        This is a stop for `train.fit`.
        """
        del records
        return INTERRUPTED if self else None


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Note the first Ctrl-C (or SIGTERM) within the block.

    The second one ends the program. Only the main thread can catch signals; in other threads
    nothing is noted.
    """
    interruption = Interruption()
    signals = (signal.SIGINT, signal.SIGTERM)

    def note(number: int, _: object) -> None:
        interruption.status = 128 + number
        restore()
        print("\nfinishing the current steps; interrupt again to stop at once", file=sys.stderr)

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
