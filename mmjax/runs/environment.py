"""The environment: the versions and the device that made the figures."""

import os
import platform
from typing import Any

import jax
import jaxlib.version
import numpy as np
import optax

from mmjax.version import __version__


def environment() -> dict[str, Any]:
    """Return the versions, the platform and the device of this process."""
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
