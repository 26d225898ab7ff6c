"""Mutated files: each one is loaded, or refused with one line.

If the checksum is not corrected, only the file as it was written is loaded.
"""

import json
import os
import struct

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tampered import JSON, contents, rewrite

from mmjax import InputError, Predictor, Vocab, checkpoint, corpus, counting, mlp, train, weights

EXAMPLES = int(os.environ.get("MMJAX_FUZZ", "30"))  # per test
MANY = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
MODEL = mlp.MLP(vocab_size=5, block_size=2, embedding_dim=3, hidden_size=7, hidden_layers=2)
RECIPE = train.Recipe(steps=40, batch_size=5)
LOADERS = {"weights": weights.load, "checkpoint": checkpoint.load, "mixture": weights.load}


class Saved:
    def __init__(self, whole, path):
        self.whole, self.path = whole, path

    def afresh(self, kind):
        """Write an intact file of this kind; return (path, tensors, metadata)."""
        self.path.write_bytes(self.whole[kind])
        return self.path, *contents(self.path)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return the bytes of an intact file of each kind, and a path for others."""
    folder = tmp_path_factory.mktemp("files")
    state = train.init(MODEL, RECIPE, jax.random.key(0))
    vocab = Vocab("abcd")
    weights.save(folder / "weights", Predictor(MODEL, state.params, state.stats), vocab)
    run = checkpoint.Checkpoint(MODEL, RECIPE, vocab, "0", state, {})
    checkpoint.save(folder / "checkpoint", run)
    counted = counting.fit(corpus.encode(vocab, ["ab", "cab", "dad"]), 5, 2)
    weights.save(folder / "mixture", counting.ensemble([counted, counted]), vocab)
    return Saved({kind: (folder / kind).read_bytes() for kind in LOADERS}, folder / "mutated")


def outcome(kind, path):
    """Return "read", or the line with which the file is refused.

    Any error except `InputError` fails the test.
    """
    try:
        LOADERS[kind](path)
    except InputError as error:
        line = str(error)
        assert line.startswith(f"{path}: ")
        assert len(line) < 1_000
        return line
    return "read"


@st.composite
def mutations(draw):
    """Draw a function that changes bytes.

    It cuts off the end, overwrites, inserts, removes or repeats a piece, changes the header's size,
    or flips a bit.
    """
    places = st.integers(0, 2**16)
    kind = draw(
        st.sampled_from(["cut", "overwrite", "insert", "remove", "repeat", "header", "bit"])
    )
    start, length = draw(places), draw(st.integers(1, 64))
    piece = draw(st.binary(min_size=1, max_size=16))

    def mutate(data):
        at = start % (len(data) + 1)
        match kind:
            case "cut":
                return data[:at]
            case "overwrite":
                return data[:at] + piece + data[at + len(piece) :]
            case "insert":
                return data[:at] + piece + data[at:]
            case "remove":
                return data[:at] + data[at + length :]
            case "repeat":
                return data[:at] + data[at : at + length] + data[at:]
            case "header":
                return struct.pack("<Q", int.from_bytes(piece[:8], "little")) + data[8:]
        if not data:
            return data  # an empty file has no bit to flip
        at = start % len(data)
        return data[:at] + bytes([data[at] ^ 1 << length % 8]) + data[at + 1 :]

    return mutate


@pytest.mark.parametrize("kind", LOADERS)
@MANY
@given(changes=st.lists(mutations(), min_size=1, max_size=4))
def test_a_mutated_file_is_refused(saved, kind, changes):
    whole, path = saved.whole, saved.path
    data = whole[kind]
    for change in changes:
        data = change(data)
    path.write_bytes(data)
    assert (outcome(kind, path) == "read") == (data == whole[kind])


@pytest.mark.parametrize("kind", LOADERS)
@MANY
@given(data=st.binary(max_size=400))
def test_any_bytes_are_refused(saved, kind, data):
    path = saved.path
    for header in (b"", struct.pack("<Q", len(data))):
        path.write_bytes(header + data)
        assert "not a complete safetensors file" in outcome(kind, path)


@pytest.mark.parametrize("kind", LOADERS)
@MANY
@given(data=st.data())
def test_metadata_of_any_kind_is_read_or_refused_under_a_checksum_that_is_right(saved, kind, data):
    """Any JSON replaces a field of the metadata, or a field inside one.

    An attacker who knows the format could do this.
    """
    path, _, metadata = saved.afresh(kind)
    key = data.draw(st.sampled_from(sorted({*metadata, "more"} - {"sha256"})))
    value = data.draw(JSON)
    if key in ("config", "recipe", "key") and data.draw(st.booleans()):
        inside = json.loads(metadata[key])
        value = inside | {data.draw(st.sampled_from([*inside, "more"])): value}
    text = value if isinstance(value, str) else json.dumps(value)
    rewrite(path, metadata={key: text.encode(errors="replace").decode()})
    outcome(kind, path)


DTYPES = [np.float16, np.float32, np.float64, np.int8, np.int32, np.int64, np.uint8, np.bool_]


@pytest.mark.parametrize("kind", LOADERS)
@MANY
@given(data=st.data())
def test_tensors_of_any_kind_are_refused_under_a_checksum_that_is_right(saved, kind, data):
    path, arrays, _ = saved.afresh(kind)
    name = data.draw(st.sampled_from([*arrays, "more", "opt_state.more", ""]))
    shape = data.draw(st.lists(st.integers(0, 9), max_size=4))
    value = data.draw(st.sampled_from([0, 1, np.nan, np.inf]))
    kind_of_number = data.draw(st.sampled_from(DTYPES))
    with np.errstate(invalid="ignore"):
        array = np.full(shape, value).astype(kind_of_number)
    rewrite(path, **{name: array})
    # Every floating type that JAX has without JAX_ENABLE_X64 is accepted.
    taken = name in arrays and {str(arrays[name].dtype)} | (
        {"float16", "float32"} if arrays[name].dtype.kind == "f" else set()
    )
    same = taken and array.shape == arrays[name].shape and str(array.dtype) in taken
    beside = kind != "checkpoint" and name.startswith("opt_state.")
    if not (same or beside):
        assert "the tensor" in outcome(kind, path) or "has a tensor" in outcome(kind, path)
