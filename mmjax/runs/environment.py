"""The environment: the versions and the device that figures were made with."""

import os
import platform
from typing import Any

import jax
import jaxlib.version
import numpy as np
import optax

from mmjax.version import __version__


def environment() -> dict[str, Any]:
    """The versions and the device that figures were made with."""
    device = jax.devices()[0]
    return {
        "python": platform.python_version(),
        "mmjax": __version__,
        "jax": jax.__version__,
        "jaxlib": jaxlib.version.__version__,
        "numpy": np.__version__,
        "optax": optax.__version__,
        "platform": platform.platform(),
        "device": f"{device.platform} {device.device_kind}",
        "cpus": os.cpu_count(),
    }
