"""Weights on disk: save and load trained models.

Tensors are arrays named by their path in the trees, such as `params.hidden.0.linear.weight` or
`stats.output.mean`. The metadata holds the model's name and fields, the vocabulary and a checksum.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from mmjax.counting.kneser_ney import KneserNey
from mmjax.data.vocab import Vocab
from mmjax.errors import require
from mmjax.io import tensors
from mmjax.model import Model, Predictor, named, require_model
from mmjax.models import lookup
from mmjax.models.bigram import Bigram
from mmjax.models.mixture import Mixture
from mmjax.models.mlp import MLP

# The models that a file can name. Load a model of your own with `load(path, model=...)`.
MODELS: dict[str, Any] = {
    "bigram": Bigram,
    "mlp": MLP,
    "kneser-ney": KneserNey,
    "mixture": Mixture,
}
# Their logits may be minus infinity, a probability of 0.
LOG_PROBS: dict[type, str] = {
    Bigram: "weight",
    lookup.Table: "logits",
    KneserNey: "log_probs",
}


def save(path: str | Path, predictor: Predictor, vocab: Vocab) -> None:
    """Write a predictor and its vocabulary to one file.

    The file holds weights, running statistics, model and vocabulary, and is written completely or
    not at all. The arrays keep their floating type, float16 and bfloat16 too. Raises `InputError`
    if `load` would refuse the file, for example because a number is NaN, or if the file cannot be
    written.
    """
    model = predictor.model
    tensors.write(path, named(predictor), describe(model, vocab), expected(model, vocab))


def load(path: str | Path, *, model: Model | None = None) -> tuple[Predictor, Vocab]:
    """Return the predictor and vocabulary that `save` wrote.

    The file may also be the checkpoint of a single network. Give `model` if it is one of your own.
    The arrays have the floating type that was saved, even if `model.init` returns another; float64
    needs JAX_ENABLE_X64=1. Raises `InputError` if the file is missing, damaged, of another model,
    shape or version, or holds a non-finite number. The logits of a bigram or a table may be minus
    infinity.
    """

    def expect(metadata: tensors.Metadata) -> tensors.Expected:
        return expected(*described(metadata, model))

    arrays, metadata = tensors.read(path, expect, optimizer=False)
    found, vocab = described(metadata, model)
    leaves = [jnp.asarray(array) for array in arrays.values()]
    return jax.tree.unflatten(jax.tree.structure(_shapes(found)), leaves), vocab


def expected(model: Model, vocab: Vocab, members: tuple[int, ...] = ()) -> tensors.Expected:
    """Return the tensors that a model's file must hold.

    `members` are leading axes of every tensor. Raises `InputError` if the vocabulary and the model
    differ in size.
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
    return tensors.Expected(shapes, frozenset(_log_probs(model, "params")))


def describe(model: Model, vocab: Vocab) -> dict[str, str]:
    """Return the metadata that describes a model.

    It holds the model's name, its fields as JSON and the vocabulary.
    """
    about = _about(model)
    config = json.dumps(about["config"], default=_about)
    return {"model": about["model"], "config": config, "vocab": vocab.characters}


def described(metadata: Mapping[str, str], model: Model | None = None) -> tuple[Model, Vocab]:
    """Return the (model, vocabulary) that a file's metadata describes.

    This is the inverse of `describe`. If `model` is given, it must be the described one. Raises
    KeyError, TypeError, ValueError or `InputError` if the metadata describes no known model, or
    another one than `model`.
    """
    vocab = Vocab(metadata["vocab"])
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
        require(
            not different,
            f"holds another model: {'; '.join(different)}; give the model that was saved",
        )
        found: Model = model
    else:
        config = json.loads(metadata["config"], object_hook=_made)
        found = _made({"model": metadata["model"], "config": config})
    return found, vocab


def _about(value: Any) -> Any:
    """Return a model as a dict of its name and fields.

    A field may be a model too. Any other dataclass is a dict of its fields, anything else is text.
    """
    if not isinstance(value, Model):
        return asdict(value) if is_dataclass(value) and not isinstance(value, type) else repr(value)
    names = [name for name, known in MODELS.items() if type(value) is known]
    own = fields(value) if is_dataclass(value) else ()
    config = {field.name: getattr(value, field.name) for field in own}
    return {"model": names[0] if names else type(value).__name__, "config": config}


def _made(about: dict[str, Any]) -> Any:
    """Return the model that `_about` describes, or another dict as it is."""
    if about.keys() != {"model", "config"}:
        return about
    name = about["model"]
    require(
        name in MODELS,
        f"the model {name!r} is not one of {', '.join(MODELS)}; "
        "if it is your own, give it: load(path, model=...)",
    )
    config = {**about["config"]}.items()
    return MODELS[name](**{k: tuple(v) if isinstance(v, list) else v for k, v in config})


def _log_probs(model: Model, path: str) -> Iterator[str]:
    """Yield the names of the tensors in which minus infinity is allowed."""
    if isinstance(model, Mixture):
        for i, component in enumerate(model.components):
            yield from _log_probs(component, f"{path}.components.{i}")
    elif type(model) in LOG_PROBS:
        yield f"{path}.{LOG_PROBS[type(model)]}"


def _shapes(model: Model) -> Predictor:
    params, stats = jax.eval_shape(model.init, jax.random.key(0))
    return Predictor(model, params, stats)
