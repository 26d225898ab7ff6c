"""Devices: how many there are, and what to say if none starts."""

import os
import re
from contextlib import suppress

import jax

from mmjax.errors import said


def a_device_for_each_core(most: int) -> None:
    """Let JAX take each core, `most` of them at most, for a device of its own, if there is no accelerator.

    Only before anything has been computed; later, or where XLA_FLAGS say how many, all stays as it is.
    """
    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        with suppress(RuntimeError):
            jax.config.update("jax_num_cpu_devices", min(most, cores()))


def cores() -> int:
    """How many cores this process may use, or how many there are where the system does not say."""
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # macOS and Windows have no such call
        return os.cpu_count() or 1


DEVICE_VARIABLES = ("JAX_PLATFORMS", "JAX_PLATFORM_NAME", "JAX_DEFAULT_DEVICE")
NO_DEVICE = re.compile(
    r"(Unable to initialize backend |Backend '[^']*' failed to initialize|Unknown backend)"
)


ADVICE_OF_JAX = re.compile(r" \((set JAX_PLATFORMS|you may need to)[^()]*\)$")


def device_trouble(error: RuntimeError | AssertionError) -> str | None:
    """What to tell the user if JAX cannot start a device; None for every other error."""
    if isinstance(error, AssertionError):  # JAX says nothing where every platform is left out
        try:
            jax.devices()
            return None
        except (RuntimeError, AssertionError) as again:
            error = again
    elif not NO_DEVICE.match(str(error)):
        return None
    reason = ADVICE_OF_JAX.sub("", " ".join(str(error).split())).rstrip(".") or "it finds none"
    named = [f"{name}={os.environ[name]}" for name in DEVICE_VARIABLES if os.environ.get(name)]
    where = f" with {' '.join(named)}" if named else ""
    remedy = "leave that out, or set" if named else "set"
    return (
        f"JAX cannot start a device{where}: {said(RuntimeError(reason))}; "
        f"{remedy} JAX_PLATFORMS=cpu to use the CPU"
    )
