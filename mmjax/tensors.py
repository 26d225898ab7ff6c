"""Named arrays and text in one file that is trusted with nothing: safetensors, with a checksum over all of it.

What is read is held against what was expected, name by name, before anything is made of it. No code runs on loading.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from safetensors import SafetensorError
from safetensors.numpy import save as to_bytes

from mmjax import files
from mmjax.errors import InputError, require, said

FORMAT = "mmjax 3"
CHECKSUM = "sha256"
DTYPES = {
    "BOOL": "bool",
    **{f"F{bits}": f"float{bits}" for bits in (16, 32, 64)},
    **{f"I{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"U{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
}

Metadata = Mapping[str, str]
Expected = Mapping[str, Any]  # anything with shape and dtype


def write(path: str | Path, arrays: Mapping[str, np.ndarray], metadata: Metadata) -> None:
    """Write arrays and metadata to one file, whole or not at all. Raises `InputError` if that cannot be done."""
    metadata = {**metadata, "format": FORMAT}
    metadata[CHECKSUM] = checksum(arrays, metadata)
    files.write(path, _sorted(to_bytes(dict(arrays), metadata)))


def read(
    path: str | Path, expect: Callable[[Metadata], Expected], *, beside: tuple[str, ...] = ()
) -> tuple[dict[str, np.ndarray], Metadata]:
    """(arrays, metadata) of a file of `write`, the arrays in the order of what `expect(metadata)` asks for.

    Arrays whose names begin with `beside` may be there besides; they are left out. Raises `InputError` if there is no
    such file, it is cut off or damaged, of another kind or version, `expect` raises (`InputError`, KeyError, TypeError, ValueError), an array
    is missing or one too many, of another shape or type, or holds a number that is not finite.
    """
    data = files.read(path, "train a model first", weight=3)
    try:
        found = dict(safetensors.deserialize(data))
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    except (SafetensorError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: no whole safetensors file: {said(error)}") from None
    metadata: Metadata = header.get("__metadata__", {})
    version = metadata.get("format", "")
    require(
        version.startswith("mmjax "),
        f"{path}: was not written by mmjax; give a file from a run folder",
    )
    require(
        version == FORMAT,
        f"{path}: is of the format {version[:20]!r}, where this version of mmjax reads {FORMAT!r}; train anew",
    )
    arrays = {name: _array(tensor) for name, tensor in found.items()}
    require(
        metadata.get(CHECKSUM) == checksum(arrays, metadata),
        f"{path}: is damaged: its content does not have its checksum",
    )
    try:
        expected = expect(metadata)
    except (KeyError, TypeError, ValueError, RecursionError, InputError) as error:
        raise InputError(f"{path}: unusable metadata: {said(error)}") from None
    for name in [*expected, *found]:
        require(name in found, f"{path}: the tensor {name} is missing; train and save it anew")
        if name not in expected and name.startswith(beside):
            continue
        require(name in expected, f"{path}: has a tensor {name} that its model does not have")
        wanted = (str(expected[name].dtype), tuple(expected[name].shape))
        there = (DTYPES.get(found[name]["dtype"], found[name]["dtype"]), (*found[name]["shape"],))
        require(
            there == wanted,
            f"{path}: the tensor {name} is {there[0]} {there[1]}, not {wanted[0]} {wanted[1]}",
        )
    for name in expected:
        require(
            arrays[name].dtype.kind != "f" or bool(np.isfinite(arrays[name]).all()),
            f"{path}: the tensor {name} holds a number that is not finite",
        )
    return {name: arrays[name] for name in expected}, metadata


def checksum(arrays: Mapping[str, np.ndarray], metadata: Metadata) -> str:
    """SHA-256 over the metadata but for the checksum itself, and over every array's name, type, shape and bytes."""
    digest = hashlib.sha256()
    text = {key: value for key, value in metadata.items() if key != CHECKSUM}
    about = {name: [str(arrays[name].dtype), *arrays[name].shape] for name in sorted(arrays)}
    digest.update(json.dumps([text, about], sort_keys=True).encode())
    for name in about:
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()


def _sorted(data: bytes) -> bytes:
    """The same file with its header in order, so that the same content is the same bytes."""
    behind = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:behind]), sort_keys=True, ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[behind:]


def _array(tensor: Mapping[str, Any]) -> np.ndarray:
    array = np.frombuffer(tensor["data"], DTYPES.get(tensor["dtype"], np.uint8))
    return array.reshape(tensor["shape"]) if tensor["dtype"] in DTYPES else array
