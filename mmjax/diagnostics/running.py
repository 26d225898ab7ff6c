"""BatchNorm's running statistics beside the statistics of many examples."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer, PRNGKeyArray

from mmjax.diagnostics.record import record
from mmjax.model import Model, layer_names
from mmjax.models.layers import Moments


class Gap(NamedTuple):
    """How far the running statistics of one normalisation are from those of many examples."""

    name: str
    """The layer's name in the forward pass, such as hidden.0.norm."""
    mean: float
    """Root mean square over the units of (running mean - mean) / standard deviation."""
    log_std: float
    """Root mean square over the units of ln(running standard deviation / standard deviation)."""
    untouched: bool
    """Whether they are still those of the first step: mean 0 and variance 1."""
    other: str
    """Name of the normalisation of the same size whose examples they fit better; "" if none."""

    @property
    def size(self) -> float:
        """The larger of both gaps."""
        return max(self.mean, self.log_std)


def gaps(
    model: Model,
    params: Any,
    stats: Any,
    contexts: Integer[Array, "batch block_size"],
    key: PRNGKeyArray | None = None,
) -> list[Gap]:
    """Return the gap of every normalisation that keeps statistics.

    The contexts pass through the model as one training batch, so every layer sees what it sees in
    training. The list is empty if the model's statistics are not `layers.Moments`, or if it does
    not tap the input and the output of its normalisations as `evaluate.calibrate` asks.
    """
    places = jax.tree.leaves_with_path(stats, is_leaf=lambda x: isinstance(x, Moments))
    kept = {jax.tree_util.keystr(at, simple=True, separator="."): own for at, own in places}
    names = layer_names(model)
    taps = tuple(f"{at}.norm" for at in kept)
    if not all(tap in names[1:] for tap in taps) or not all(
        isinstance(own, Moments) for own in kept.values()
    ):
        return []
    seen = _moments(model, taps, params, stats, contexts, key)
    found = []
    for tap, own in zip(taps, kept.values(), strict=True):
        mean, log_std = distance(own, seen[tap])
        size = max(mean, log_std)
        rivals = {
            other: max(distance(own, moments))
            for other, moments in seen.items()
            if other != tap and moments[0].shape == own.mean.shape
        }
        nearest = min(rivals, key=lambda other: rivals[other], default="")
        other = nearest if nearest and rivals[nearest] < size / 2 else ""
        untouched = bool(np.all(np.asarray(own.mean) == 0) and np.all(np.asarray(own.var) == 1))
        found.append(Gap(tap, mean, log_std, untouched, other))
    return found


def distance(
    running: Moments, seen: tuple[Float[Array, "units"], Float[Array, "units"]]
) -> tuple[float, float]:
    """Return the two gaps between running moments and (mean, variance)."""
    tiny = np.finfo(np.float32).tiny
    mean, var = (np.asarray(x, np.float64) for x in seen)
    own_mean, own_var = (np.asarray(x, np.float64) for x in running)
    ratio = np.log(np.maximum(own_var, tiny) / np.maximum(var, tiny)) / 2
    return (
        float(np.sqrt(np.mean((own_mean - mean) ** 2 / np.maximum(var, tiny)))),
        float(np.sqrt(np.mean(ratio**2))),
    )


@partial(jax.jit, static_argnums=(0, 1))
def _moments(
    model: Model, taps: tuple[str, ...], params: Any, stats: Any, contexts: Array, key: Any
) -> dict[str, tuple[Array, Array]]:
    """Return (mean, unbiased variance) of the input of each normalisation."""
    outputs = record(model, params, stats, contexts, train=True, key=key)[1]
    names = layer_names(model)
    inputs = {tap: outputs[names[names.index(tap) - 1]] for tap in taps}
    return {tap: (jnp.mean(x, axis=0), jnp.var(x, axis=0, ddof=1)) for tap, x in inputs.items()}
