"""Change files of arrays as an attacker could, with a correct checksum."""

import json
import struct

from hypothesis import strategies as st
from safetensors.numpy import load_file, save

from mmjax.io import tensors

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)


def contents(path):
    """Return (tensors, metadata) of a file."""
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
    return load_file(path), header["__metadata__"]


def rewrite(path, *, metadata=None, **changed):
    """Replace some metadata and tensors, and correct the checksum.

    A value of None removes the entry.
    """
    arrays, text = contents(path)
    arrays = {name: array for name, array in (arrays | changed).items() if array is not None}
    text = {key: value for key, value in (text | (metadata or {})).items() if value is not None}
    text["sha256"] = tensors.checksum(arrays, text)
    path.write_bytes(save(arrays, text))
