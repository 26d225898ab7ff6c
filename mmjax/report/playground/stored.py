"""Arrays as JSON: base64 of little-endian numbers."""

import base64
from typing import Any

import numpy as np

LARGEST = 2**15 - 1  # of a rounded number, in steps
MINUS_INFINITY = -(2**15)  # stands for minus infinity among rounded numbers

Stored = dict[str, Any]


def stored(values: Any, *, rounded: bool = False) -> Stored:
    """Return an array as a JSON object that `arrays.js` decodes.

    Floats become float32 or, `rounded`, int16 multiples of a `step`: a 32,767th of the largest.
    Integers must not be negative and get the smallest type that holds them, at most uint32.
    """
    array = np.asarray(values)
    if np.issubdtype(array.dtype, np.integer):
        return _encoded(array.astype(np.min_scalar_type(int(array.max(initial=0)))))
    array = array.astype(np.float32)
    if not rounded:
        return _encoded(array)
    finite = np.isfinite(array)
    step = float(abs(array[finite]).max(initial=0)) / LARGEST or 1.0
    steps = np.rint(np.where(finite, array, 0) / step)
    return {**_encoded(np.where(finite, steps, MINUS_INFINITY).astype(np.int16)), "step": step}


def size(numbers: int, *, rounded: bool) -> int:
    """Return the bytes that so many floats take in the page, without the names of the arrays."""
    return numbers * (2 if rounded else 4) * 4 // 3


def _encoded(array: np.ndarray) -> Stored:
    little = array.astype(array.dtype.newbyteorder("<"))
    data = base64.b64encode(little.tobytes()).decode()
    return {"type": array.dtype.name, "shape": list(array.shape), "data": data}
