"""Weights on disk: save and load trained models.

Tensors are arrays named by their path in the trees, such as `params.hidden.0.linear.weight` or
`stats.output.mean`. The metadata holds the model's name and fields, the vocabulary and a checksum.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from mmjax.data.vocab import Vocab
from mmjax.errors import require
from mmjax.io import tensors
from mmjax.model import Model, Predictor, named, require_model
from mmjax.models import lookup
from mmjax.models.bigram import Bigram
from mmjax.models.mlp import MLP

# The models that a file can name. Load a model of your own by giving it: `load(path, model=...)`.
MODELS: dict[str, Any] = {"bigram": Bigram, "mlp": MLP}
# Their logits may be minus infinity, a probability of 0.
LOG_PROBS: dict[type, str] = {Bigram: "params.weight", lookup.Table: "params.logits"}


def save(path: str | Path, predictor: Predictor, vocab: Vocab) -> None:
    """Write weights, running statistics, model and vocabulary to one file, completely or not at all.

    The arrays keep their floating type, float16 and bfloat16 too. Raises `InputError` if `load` would
    refuse the file, because a number is NaN, say, or the file cannot be written.
    """
    model = predictor.model
    tensors.write(path, named(predictor), describe(model, vocab), expected(model, vocab))


def load(path: str | Path, *, model: Model | None = None) -> tuple[Predictor, Vocab]:
    """Return the predictor and vocabulary that `save` wrote, or those of a single network's checkpoint.

    The arrays have the floating type that was saved, whatever the model begins with; float64 needs
    JAX_ENABLE_X64=1. Give `model` if it is one of your own. Raises `InputError` if the file is missing,
    damaged, of another model, shape or version, or holds a number that is not finite; minus infinity
    may be in the logits of a bigram or a table.
    """

    def expect(metadata: tensors.Metadata) -> tensors.Expected:
        return expected(*described(metadata, model))

    arrays, metadata = tensors.read(path, expect, optimizer=False)
    found, vocab = described(metadata, model)
    leaves = [jnp.asarray(array) for array in arrays.values()]
    return jax.tree.unflatten(jax.tree.structure(_shapes(found)), leaves), vocab


def expected(model: Model, vocab: Vocab, members: tuple[int, ...] = ()) -> tensors.Expected:
    """Return what a model's tensors have to be.

    `members` are leading axes on each of them. Raises `InputError` if the vocabulary has another size
    than the model.
    """
    require(
        model.vocab_size == vocab.size,
        f"the vocabulary has another size than the model: {vocab.size:,} tokens with the boundary, "
        f"not {model.vocab_size:,}; give the vocabulary that the model was trained with",
    )
    shapes = {
        name: jax.ShapeDtypeStruct((*members, *leaf.shape), leaf.dtype)
        for name, leaf in named(_shapes(model)).items()
    }
    return tensors.Expected(shapes, LOG_PROBS.get(type(model)))


def describe(model: Model, vocab: Vocab) -> dict[str, str]:
    """Return what the metadata says about a model: its name, its fields as JSON, the vocabulary."""
    names = [name for name, known in MODELS.items() if type(model) is known]
    fields = asdict(model) if is_dataclass(model) and not isinstance(model, type) else {}
    return {
        "model": names[0] if names else type(model).__name__,
        "config": json.dumps(fields, default=repr),
        "vocab": vocab.characters,
    }


def described(metadata: Mapping[str, str], model: Model | None = None) -> tuple[Model, Vocab]:
    """Return the (model, vocabulary) of a file's metadata, the inverse of `describe`.

    A `model` that is given has to be the described one. Raises KeyError, TypeError, ValueError or
    `InputError` if there is none, or it is another one.
    """
    name, vocab = metadata["model"], Vocab(metadata["vocab"])
    if model is not None:
        require_model(model)
        given, saved = (
            {"model": about["model"], **json.loads(about["config"])}
            for about in (describe(model, vocab), metadata)
        )
        different = [
            f"{key} {saved.get(key)}, not {given.get(key)}"
            for key in {**saved, **given}
            if saved.get(key) != given.get(key)
        ]
        require(not different, f"holds another model: {'; '.join(different)}; give that one")
        found: Model = model
    else:
        require(
            name in MODELS,
            f"the model {name!r} is not one of {', '.join(MODELS)}; "
            "if it is your own, give it: load(path, model=...)",
        )
        found = MODELS[name](**json.loads(metadata["config"]))
    return found, vocab


def _shapes(model: Model) -> Predictor:
    params, stats = jax.eval_shape(model.init, jax.random.key(0))
    return Predictor(model, params, stats)
