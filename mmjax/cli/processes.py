"""Several processes that train one network together, by `jax.distributed`."""

import atexit
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from mmjax.cli import native_log
from mmjax.cli.devices import cpu_devices
from mmjax.errors import InputError, require, said
from mmjax.runs.layout import INTERRUPTED

HEARTBEAT = 7  # seconds without a sign of life after which a process counts as dead
WAIT = 300  # seconds for all processes to start
LONGEST_END = 24 * 3_600  # seconds that the others wait while process 0 evaluates and writes


def join(command: str, coordinator: str, processes: int, process: int, *, devices: int) -> None:
    """Make this process one of several; call it before JAX computes anything.

    `coordinator` is the address of process 0, or "auto" where Slurm, Open MPI or Kubernetes say all
    three. Without an accelerator, JAX treats this process's CPU as `devices` devices, or one if it
    is 0. Raises `InputError` if the processes do not find each other.
    """
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    cpu_devices(max(1, devices))
    _filter_log(command)
    found: dict[str, Any] = {}
    if coordinator != "auto":
        found = {"coordinator_address": coordinator, "num_processes": processes}
        found |= {"process_id": process, "cluster_detection_method": "deactivate"}
    found |= {"heartbeat_timeout_seconds": HEARTBEAT, "initialization_timeout": WAIT}
    found |= {"shutdown_timeout_seconds": LONGEST_END}
    try:
        with _interrupts_end():
            jax.distributed.initialize(**found)
        with _gloo_silent():
            multihost_utils.sync_global_devices("all have joined")
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"the processes did not find each other by --coordinator {coordinator}: "
            f"{said(error)}; start all of them within {WAIT} seconds, with the same address"
        ) from None


@contextmanager
def _interrupts_end() -> Iterator[None]:
    """Let Ctrl-C end the process within the block: JAX waits in C++, where Python is not asked."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _gloo_silent() -> Iterator[None]:
    """Drop what is written to standard output, also from C++: gloo greets there."""
    sys.stdout.flush()
    kept = os.dup(1)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)


def _filter_log(command: str) -> None:
    script = [sys.executable, "-I", "-S", str(Path(native_log.__file__)), command]
    # In a session of its own, Ctrl-C does not end it before it has passed on the last lines.
    reader = subprocess.Popen(script, stdin=subprocess.PIPE, start_new_session=True)
    assert reader.stdin
    sys.stderr.flush()
    os.dup2(reader.stdin.fileno(), sys.stderr.fileno())
    reader.stdin.close()


def first() -> bool:
    """Return whether this process writes the run folder."""
    return jax.process_index() == 0


@contextmanager
def silent() -> Iterator[None]:
    """Print nothing within the block, except the line of an error that ends the program."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


def from_first(tree: Any) -> Any:
    """Return the arrays of process 0, in every process."""
    if jax.process_count() == 1:
        return tree

    def plain(x: Any) -> Any:
        return jax.random.key_data(x) if is_key(x) else x

    def is_key(x: Any) -> bool:
        return jnp.issubdtype(x.dtype, jax.dtypes.prng_key)

    def again(x: Any, data: Any) -> Any:
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(x)) if is_key(x) else data

    sent = multihost_utils.broadcast_one_to_all(jax.tree.map(plain, tree))
    return jax.tree.map(again, tree, sent)


def require_same(what: str, digest: bytes) -> None:
    """Raise `InputError` if `digest`, of what all must have the same, is not that of process 0."""
    mine = np.frombuffer(digest, np.uint8)
    theirs = from_first(mine)
    require(
        bool((mine == theirs).all()),
        f"process {jax.process_index()} has another {what} than process 0; give all processes the same",
    )


RUNNING, ENDED, INTERRUPTED_CODE = range(3)
Stop = Callable[[Any], str | None]


def agreed(*stops: Stop) -> Stop:
    """Return a stop for `train.fit` that ends training in all processes if one has a reason.

    If one was interrupted, all were.
    """

    def stop(records: Any) -> str | None:
        reason = next((text for each in stops if (text := each(records))), None)
        if jax.process_count() == 1:
            return reason
        mine = RUNNING if reason is None else INTERRUPTED_CODE if reason == INTERRUPTED else ENDED
        codes = multihost_utils.process_allgather(np.array(mine))
        return {RUNNING: None, ENDED: reason or "process 0 has ended training"}.get(
            int(codes.max()), INTERRUPTED
        )

    return stop


@contextmanager
def sharing_fate() -> Iterator[None]:
    """End with the other processes: if this one fails within the block, they end, and vice versa.

    When a process dies, JAX ends the others as soon as its heartbeats are missing, wherever they
    are, and `native_log` says which it was. A lost connection is noticed first, but does not tell
    which process died, so this one waits for JAX.
    """
    try:
        yield
    except (RuntimeError, ValueError):
        atexit.register(_leave, 1)
        time.sleep(2 * HEARTBEAT)
        raise
    except BaseException as error:
        atexit.register(_leave, 130 if isinstance(error, KeyboardInterrupt) else 2)
        raise


def _leave(status: int) -> None:
    """End the process without waiting for the others, as JAX does at a normal exit."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
