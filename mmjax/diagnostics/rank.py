"""Effective rank: how many directions the outputs of a layer use."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import ArrayLike, Float

from mmjax.diagnostics.record import activation_layers
from mmjax.model import Model


def effective_rank(outputs: Float[ArrayLike, "batch features"]) -> float:
    """Return the effective rank of a layer's outputs, from 1 to the number of features.

    It is exp(entropy) of the singular values of the outputs, their mean subtracted, as shares of
    their sum: the number of directions that would give this entropy if all were used equally. 0 if
    all outputs are the same, NaN if one is not finite.

    Source: Roy and Vetterli, The Effective Rank (https://ieeexplore.ieee.org/document/7098875).
    """
    values = np.asarray(outputs, np.float64)
    if not np.isfinite(values).all():
        return float("nan")
    singular = np.linalg.svd(values - values.mean(axis=0), compute_uv=False)
    if not singular.sum():
        return 0.0
    shares = singular / singular.sum()
    shares = shares[shares > 0]
    return float(np.exp(-np.sum(shares * np.log(shares))))


def effective_ranks(model: Model, outputs: Mapping[str, Any]) -> dict[str, float]:
    """Return the effective rank of every activation layer by its name.

    `outputs` has each layer's output [batch, features] by the layer's name.
    """
    return {name: effective_rank(outputs[name]) for _, name in activation_layers(model)}
