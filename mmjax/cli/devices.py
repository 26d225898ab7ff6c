"""Devices: how many to use, and the message if none starts."""

import os
import re
from contextlib import suppress

import jax

from mmjax.errors import said

PRECISION = "jax_default_matmul_precision"


def a_device_for_each_core(most: int) -> None:
    """Make JAX treat each CPU core as a device.

    It uses at most `most` cores, and matters only without an accelerator. Call it before JAX
    computes anything; later, or if XLA_FLAGS sets the number of devices, it changes nothing.
    """
    cpu_devices(min(most, cores()))


def cpu_devices(count: int) -> None:
    """Make JAX treat the CPU as so many devices.

    As for `a_device_for_each_core`, it may change nothing.
    """
    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        with suppress(RuntimeError):
            jax.config.update("jax_num_cpu_devices", count)


def exact_products() -> None:
    """Make accelerators multiply float32 numbers as such, so that losses are those of a CPU.

    By default, NVIDIA GPUs round the factors to 10 bits, and TPUs to 7. On a CPU nothing changes. The
    variable JAX_DEFAULT_MATMUL_PRECISION is left as it is.
    """
    if getattr(jax.config, PRECISION) is None:
        jax.config.update(PRECISION, "highest")


def cores() -> int:
    """Return how many cores this process may use.

    Return how many cores there are if the system does not say.
    """
    return len(usable_cores())


def usable_cores() -> list[int]:
    """Return the numbers of the cores that this process may use, as `cores` counts them."""
    try:
        return sorted(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # macOS and Windows do not have this call
        return list(range(os.cpu_count() or 1))


def keep_to(core: int) -> None:
    """Run this process on one core, where the system can."""
    with suppress(AttributeError, OSError):
        os.sched_setaffinity(0, {core})


DEVICE_VARIABLES = ("JAX_PLATFORMS", "JAX_PLATFORM_NAME", "JAX_DEFAULT_DEVICE")
NO_DEVICE = re.compile(
    r"(Unable to initialize backend |Backend '[^']*' failed to initialize|Unknown backend)"
)


ADVICE_OF_JAX = re.compile(r" \((set JAX_PLATFORMS|you may need to)[^()]*\)$")


def device_trouble(error: RuntimeError | AssertionError) -> str | None:
    """Return the message to show if JAX cannot start a device.

    Return None for every other error.
    """
    if isinstance(error, AssertionError):  # JAX gives no message if every platform is excluded
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
