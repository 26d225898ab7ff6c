"""Worker processes, one for each core."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import Queue, get_context

from mmjax.cli.compiled import keep_compiled
from mmjax.cli.devices import keep_to, usable_cores


@contextmanager
def workers() -> Iterator[ProcessPoolExecutor]:
    """Start a worker for each core; each keeps to its own.

    A setting of the bench compiles its own network, which takes one core.
    """
    # Threads of numpy's linear algebra would wait for each other.
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
    spawn = get_context("spawn")
    free = spawn.Queue()
    for core in usable_cores():
        free.put(core)
    with ProcessPoolExecutor(len(usable_cores()), spawn, _prepare, (free,)) as pool:
        yield pool


def _prepare(free: Queue) -> None:
    keep_to(free.get())
    keep_compiled()
