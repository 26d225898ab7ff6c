"""Checkpoints: the whole state of a training run in one file.

The tensors are those of the `TrainState`, named by their path as in `weights`. `weights.load` reads
the network of a checkpoint, too. The metadata holds the model, config, recipe, vocabulary, step and
key, a checksum of the list of names, the program's own notes, and a checksum of the whole file. A
run resumed from a checkpoint is the same as one that never stopped: see `train.advance`.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from mmjax import train
from mmjax.data.vocab import Vocab
from mmjax.errors import require
from mmjax.io import tensors
from mmjax.model import Model, named
from mmjax.runs import weights
from mmjax.train import Recipe, TrainState, members
from mmjax.train.recipe import require_hyper

KEYS = ("threefry2x32", "rbg", "unsafe_rbg")  # known kinds of random keys


class Checkpoint(NamedTuple):
    """A training run: its model, recipe, list and state."""

    model: Model
    recipe: Recipe
    vocab: Vocab
    names: str
    """`checksum` of the list."""
    state: TrainState
    """State of one network, or of several with a leading axis, as in `members`."""
    notes: Mapping[str, Any]
    """Anything else to keep, as values for JSON."""


def checksum(names: Iterable[str]) -> str:
    """Return the SHA-256 of a list of names, in hexadecimal.

    It covers the names in UTF-8, each with a line end.
    """
    digest = hashlib.sha256()
    for name in names:
        digest.update(f"{name}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def save(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, completely or not at all.

    The file keeps its old content until the new one is complete and on the disk. Raises
    `InputError` if `load` would refuse the file, for example because a number is NaN, or if the
    file cannot be written.
    """
    model, recipe, vocab, names, state, notes = checkpoint
    key = {
        "kind": str(jax.random.key_impl(state.key)),
        "data": np.asarray(jax.random.key_data(state.key)).tolist(),
    }
    metadata = {
        **weights.describe(model, vocab),
        "recipe": json.dumps(asdict(recipe)),
        "names": names,
        "hyper": json.dumps(sorted(state.hyper)),
        "step": json.dumps(np.asarray(state.step).tolist()),
        "key": json.dumps(key),
        "notes": json.dumps(dict(notes)),
    }
    expected = weights.expected(model, vocab, np.shape(state.step))
    tensors.write(path, named(_trained(state)), metadata, expected)


def load(
    path: str | Path,
    *,
    model: Model | None = None,
    optimizer: optax.GradientTransformation | None = None,
) -> Checkpoint:
    """Return what `save` wrote.

    Give `model` if it is one of your own, and `optimizer` if another one replaced the recipe's. The
    arrays have the floating type that was saved, as in `weights.load`.

    Raises `InputError` if the file is missing, cut off, damaged, of another kind, version, shape or
    optimizer, or holds a non-finite number, as in `weights.load`. The optimizer's state may hold
    infinity, but not NaN.
    """
    shapes: Any = None

    def expect(metadata: tensors.Metadata) -> tensors.Expected:
        nonlocal shapes
        shapes = _shapes(metadata, model, optimizer)
        expected = weights.expected(*weights.described(metadata, model))
        return expected._replace(shapes=named(_trained(shapes)))

    arrays, metadata = tensors.read(path, expect, optimizer=True)
    leaves = [jnp.asarray(array) for array in arrays.values()]
    trained = jax.tree.unflatten(jax.tree.structure(_trained(shapes)), leaves)
    state = TrainState(step=_step(metadata), key=_key(metadata), **trained)
    recipe, notes = _recipe(metadata), json.loads(metadata["notes"])
    return Checkpoint(
        weights.described(metadata, model)[0],
        recipe,
        Vocab(metadata["vocab"]),
        metadata["names"],
        members.placed(state) if state.step.ndim else state,
        notes,
    )


def _trained(state: TrainState) -> dict[str, Any]:
    """Return the trees that are kept as tensors."""
    kept = ("params", "stats", "opt_state", "ema", "hyper")
    return {name: getattr(state, name) for name in kept}


def _shapes(
    metadata: tensors.Metadata,
    model: Model | None,
    optimizer: optax.GradientTransformation | None,
) -> Any:
    """Return the shapes of the state that the metadata describes.

    Raises `InputError`, KeyError, TypeError or ValueError if the metadata is wrong.
    """
    found, _ = weights.described(metadata, model)
    recipe, step, keys = _recipe(metadata), _step(metadata), _key(metadata)
    require(step.shape == keys.shape, "the numbers of steps and of keys differ")
    require(metadata["names"].isalnum(), "the checksum of the list is malformed")
    require(isinstance(json.loads(metadata["notes"]), dict), "the notes are not a JSON object")

    hyper = dict.fromkeys(json.loads(metadata["hyper"]), jnp.zeros(()))
    require_hyper(hyper, found)

    def init(key: jax.Array) -> TrainState:
        return train.init(found, recipe, key, hyper=hyper, optimizer=optimizer)

    return jax.eval_shape(jax.vmap(init) if keys.ndim else init, keys)


def _recipe(metadata: tensors.Metadata) -> Recipe:
    return Recipe(**json.loads(metadata["recipe"]))


def _step(metadata: tensors.Metadata) -> jax.Array:
    step = _whole_numbers(json.loads(metadata["step"]), 2**31, "the step is not a number of steps")
    require(step.ndim < 2, "the step is not a number of steps")
    return jnp.asarray(step, jnp.int32)


def _key(metadata: tensors.Metadata) -> jax.Array:
    key = dict(json.loads(metadata["key"]))
    require(key["kind"] in KEYS, f"a random key of the kind {key['kind']!r} is not known")
    data = _whole_numbers(key["data"], 2**32, "the random key is malformed")
    require(0 < data.ndim < 3, "the random key is malformed")
    return jax.random.wrap_key_data(jnp.asarray(data.astype(np.uint32)), impl=key["kind"])


def _whole_numbers(value: Any, limit: int, problem: str) -> np.ndarray:
    """Return `value` as an array of whole numbers from 0 to below `limit`.

    Raises `InputError` with `problem`, or ValueError, if it is anything else or empty.
    """
    array = np.array(value)
    require(array.dtype.kind == "i" and array.size > 0, problem)
    require(bool(((array >= 0) & (array < limit)).all()), problem)
    return array
