"""Fuzz everything that reads a file, guided by coverage: `make fuzz ARGS=-runs=100000`.

`make fuzz` installs atheris; the options are those of libFuzzer. The first byte of an input chooses
the reader, the rest is the file. If the highest bit of that byte is set, the file gets a correct
checksum, so that the input also reaches the code after the checksum. Any outcome except a result or
an `InputError` ends the fuzzing with the input that caused it.
"""

import json
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import atheris  # pyright: ignore[reportMissingImports, reportMissingModuleSource]

with atheris.instrument_imports(include=["mmjax", "experiments"]):  # pyright: ignore
    from mmjax import (
        InputError,
        bigram,
        checkpoint,
        corpus,
        counting,
        counts,
        mlp,
        train,
        vocab,
        weights,
    )
    from mmjax.io import tensors

import jax
import safetensors
from safetensors.numpy import save

from mmjax.runs import layout, reading, samples

PATH = Path(tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None))


def read_list(path: Path) -> None:
    """Read a list and prepare it for training."""
    names = corpus.read_names(path)
    letters = vocab.build(names)
    tokens = corpus.encode(letters, names)
    assert corpus.decode(letters, tokens) == names
    corpus.split(names)
    if letters.size < 100:
        counts.bigrams(tokens, letters.size)


READERS = [
    (weights.load, "model.safetensors"),
    (checkpoint.load, "checkpoint.safetensors"),
    (read_list, "names.txt"),
    (lambda path: reading.read_config(path.parent), layout.CONFIG),
    (lambda path: reading.read_summary(path.parent), layout.SUMMARY),
    (lambda path: reading.read_metrics(path.parent), layout.METRICS),
    (lambda path: samples.read_samples(path.parent), layout.SAMPLES),
]


def signed(data: bytes) -> bytes:
    """Return the file with a correct checksum, or unchanged if it is malformed."""
    with suppress(Exception):
        found = dict(safetensors.deserialize(data))
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        arrays = {name: tensors._array(tensor) for name, tensor in found.items()}
        metadata = {key: value for key, value in header["__metadata__"].items() if key != "sha256"}
        return save(arrays, metadata | {"sha256": tensors.checksum(arrays, metadata)})
    return data


def one(data: bytes) -> None:
    """Read one file."""
    if not data:
        return
    read, name = READERS[(data[0] & 0x7F) % len(READERS)]
    (PATH / name).write_bytes(signed(data[1:]) if data[0] & 0x80 else data[1:])
    with suppress(InputError):
        read(PATH / name)


def seeds(folder: Path) -> None:
    """Write the files from which the fuzzing starts."""
    letters = vocab.Vocab("abcd")
    config = mlp.MLP(vocab_size=5, block_size=1, embedding_dim=1, hidden_size=2, hidden_layers=1)
    recipe = train.Recipe(steps=4)
    state = train.init(config, recipe, jax.random.key(0))
    small = bigram.Bigram(vocab_size=5)
    table = bigram.init(small, jax.random.key(0))
    weights.save(folder / "bigram", weights.Predictor(small, *table), letters)
    weights.save(folder / "mlp", weights.Predictor(config, state.params, state.stats), letters)
    counted = counting.fit(corpus.encode(letters, ["ab", "cab", "dad"]), 5, 2)
    weights.save(folder / "counted", counted, letters)
    weights.save(folder / "mixture", counting.ensemble([counted, counted]), letters)
    run = checkpoint.Checkpoint(config, recipe, letters, "0", state, {})
    checkpoint.save(folder / "run", run)
    (folder / "names").write_text("ann\nbob\nZoë\nO'Neil\nli-li\nbo\ncy\n")
    (folder / "json").write_text(
        '{"step": 1, "loss_batch": 2.5, "names": "x", "findings": ["a"]}\n'
    )
    for name, choices in {
        "bigram": (0, 0x80),
        "mlp": (0, 0x80),
        "counted": (0, 0x80),
        "mixture": (0, 0x80),
        "run": (1, 0x81, 0),
        "names": (2,),
        "json": (3, 4, 5, 6),
    }.items():
        data = (folder / name).read_bytes()
        (folder / name).unlink()
        for choice in choices:
            (folder / f"{name}-{choice}").write_bytes(bytes([choice]) + data)


if __name__ == "__main__":
    begin = Path(tempfile.mkdtemp())
    seeds(begin)
    atheris.Setup([*sys.argv, str(begin), "-max_len=8192"], one)
    atheris.Fuzz()
