"""Checks of tensors: names, shapes, types and numbers."""

from collections.abc import Collection, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from mmjax.errors import require

FLOATS = {"bfloat16", "float16", "float32", "float64"}


OPTIMIZER = "opt_state."  # prefix of the names of an optimizer's tensors


def require_match(
    where: str, found: Mapping[str, tuple[str, tuple[int, ...]]], shapes: Mapping[str, Any]
) -> None:
    """Raise `InputError` unless names, shapes and types are the expected ones."""
    x64 = jnp.result_type(float) == jnp.float64
    for name in [*shapes, *found]:
        tensor, advice = f"{where}the tensor {name}", ""
        if name.startswith(OPTIMIZER):
            advice = (
                "; give the optimizer it was trained with: checkpoint.load(path, optimizer=...)"
            )
        require(name in found, f"{tensor} is missing{advice or '; train and save it again'}")
        require(name in shapes, f"{where}has a tensor {name} that its model does not have{advice}")
        dtype, shape = found[name]
        wanted, wanted_shape = str(shapes[name].dtype), tuple(shapes[name].shape)
        floats = {dtype, wanted} <= FLOATS
        require(
            shape == wanted_shape
            and (floats or dtype.replace("64", "32") == wanted.replace("64", "32")),
            f"{tensor} is {dtype} {shape}, not {wanted} {wanted_shape}{advice}",
        )
        require(
            x64 or not dtype.endswith("64"),
            f"{tensor} is {dtype}, which JAX supports only with JAX_ENABLE_X64=1; set it",
        )
        require(
            floats or dtype == wanted,
            f"{tensor} is {dtype}, not {wanted}: it was made without JAX_ENABLE_X64; unset it",
        )


def require_numbers(
    where: str, arrays: Mapping[str, np.ndarray], log_probs: Collection[str]
) -> None:
    """Raise `InputError` if an array holds a forbidden number.

    That is NaN in an optimizer's arrays; NaN, plus infinity or a row of only minus infinity in an
    array of `log_probs`; and any non-finite number in every other array.
    """
    for name, array in arrays.items():
        if array.dtype.name not in FLOATS:
            continue
        if name.startswith(OPTIMIZER):  # for example, a best loss so far starts at infinity
            bad, what = np.isnan(array), "NaN"
        elif name in log_probs:
            impossible = np.isneginf(array).all(axis=-1, keepdims=True)
            bad, what = (
                ~(array < np.inf) | impossible,
                "NaN, infinity or a row in which every token has probability 0",
            )
        else:
            bad, what = ~np.isfinite(array), "a number that is not finite"
        require(not bad.any(), f"{where}the tensor {name} holds {what}; use an earlier state")
