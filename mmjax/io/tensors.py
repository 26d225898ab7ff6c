"""Named arrays in one safetensors file with a checksum.

`read` checks every tensor against what is expected, name by name, before it returns any. Loading
runs no code from the file.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import safetensors
from safetensors import SafetensorError
from safetensors.numpy import save as to_bytes

from mmjax.errors import InputError, require, said
from mmjax.io import files
from mmjax.io.tensor_checks import OPTIMIZER, require_match, require_numbers

FORMAT = "mmjax 3"
CHECKSUM = "sha256"
DTYPES = {
    "BOOL": "bool",
    "BF16": "bfloat16",
    **{f"F{bits}": f"float{bits}" for bits in (16, 32, 64)},
    **{f"I{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"U{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
}
TRAINING = (OPTIMIZER, "ema.", "hyper.")  # prefixes of what a checkpoint has besides a network

Metadata = Mapping[str, str]


class Expected(NamedTuple):
    """The tensors that a file must hold."""

    shapes: Mapping[str, Any]
    """By name, anything with shape and dtype. Any floating type matches any other."""
    log_probs: Collection[str] = ()
    """Names of the tensors in which minus infinity is allowed, as a probability of 0."""


def write(
    path: str | Path, leaves: Mapping[str, Any], metadata: Metadata, expected: Expected
) -> None:
    """Write arrays and metadata to one file, completely or not at all.

    An optimizer's tensors are checked only for NaN. Raises `InputError` if a tensor of the
    model does not fit it, if a number is forbidden, or if the file cannot be written.
    """
    unsaved = f"{path}: not saved: "
    arrays = {name: _on_host(unsaved, name, leaf) for name, leaf in leaves.items()}
    own = {name: array for name, array in arrays.items() if not name.startswith(TRAINING)}
    found = {name: (array.dtype.name, array.shape) for name, array in own.items()}
    require_match(unsaved, found, expected.shapes)
    require_numbers(unsaved, arrays, expected.log_probs)
    metadata = {**metadata, "format": FORMAT}
    try:
        metadata[CHECKSUM] = checksum(arrays, metadata)
        data = to_bytes(arrays, metadata)
    except (SafetensorError, UnicodeEncodeError) as error:
        raise InputError(f"{unsaved}{said(error)}") from None
    files.write(path, _sorted(data))


def read(
    path: str | Path, expect: Callable[[Metadata], Expected], *, optimizer: bool
) -> tuple[dict[str, np.ndarray], Metadata]:
    """Return (arrays, metadata) of a file that `write` wrote.

    The arrays are in the order of `expect(metadata)`. Without `optimizer`, the tensors of
    `TRAINING` may be in the file and are left out.

    Raises `InputError` if the file is missing, cut off, damaged or of another kind or version; if
    `expect` raises (`InputError`, KeyError, TypeError, ValueError, RecursionError); if an array is
    missing, unexpected or of another shape or type; or if an array holds a forbidden number.
    """
    data = files.read(path, "train a model first", weight=3)
    try:
        found = dict(safetensors.deserialize(data))
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    except (SafetensorError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a complete safetensors file: {said(error)}") from None
    metadata: Metadata = header.get("__metadata__", {})
    version = metadata.get("format", "")
    require(
        version.startswith("mmjax "),
        f"{path}: was not written by mmjax; give a file from a run folder",
    )
    require(
        version == FORMAT,
        f"{path}: has the format {version[:20]!r}, but this version of mmjax reads {FORMAT!r}; train again",
    )
    arrays = {name: _array(tensor) for name, tensor in found.items()}
    require(
        metadata.get(CHECKSUM) == checksum(arrays, metadata),
        f"{path}: is damaged: its content does not match its checksum",
    )
    try:
        expected = expect(metadata)
    except (KeyError, TypeError, ValueError, RecursionError, InputError) as error:
        raise InputError(f"{path}: unusable metadata: {said(error)}") from None
    there = {
        name: (str(DTYPES.get(tensor["dtype"], tensor["dtype"])), (*tensor["shape"],))
        for name, tensor in found.items()
        if optimizer or name in expected.shapes or not name.startswith(TRAINING)
    }
    require_match(f"{path}: ", there, expected.shapes)
    arrays = {name: arrays[name] for name in expected.shapes}
    require_numbers(f"{path}: ", arrays, expected.log_probs)
    return arrays, metadata


def _on_host(where: str, name: str, leaf: Any) -> np.ndarray:
    """Return a leaf as the array that JAX makes of it.

    Loading returns the same type. Raises `InputError` if the type is not one of `DTYPES`.
    """
    try:
        array = np.asarray(jnp.asarray(leaf), order="C")
        saved = array.dtype.name in DTYPES.values()
    except (TypeError, ValueError):  # text, or a random key
        array, saved = np.zeros(0), False
    kind = getattr(leaf, "dtype", type(leaf).__name__)
    require(saved, f"{where}the tensor {name} is {kind}; use one of {', '.join(DTYPES.values())}")
    return array


def checksum(arrays: Mapping[str, np.ndarray], metadata: Metadata) -> str:
    """Return the SHA-256 of the metadata and of all arrays.

    It covers the metadata except the checksum itself, and each array's name, type, shape and bytes.
    """
    digest = hashlib.sha256()
    text = {key: value for key, value in metadata.items() if key != CHECKSUM}
    about = {name: [str(arrays[name].dtype), *arrays[name].shape] for name in sorted(arrays)}
    digest.update(json.dumps([text, about], sort_keys=True).encode())
    for name in about:
        digest.update(np.ascontiguousarray(arrays[name]).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _sorted(data: bytes) -> bytes:
    """Return the file with its header sorted.

    So the same content always gives the same bytes.
    """
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:end]), sort_keys=True, ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[end:]


def _array(tensor: Mapping[str, Any]) -> np.ndarray:
    array = np.frombuffer(tensor["data"], DTYPES.get(tensor["dtype"], np.uint8))
    return array.reshape(tensor["shape"]) if tensor["dtype"] in DTYPES else array
