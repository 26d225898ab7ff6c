"""Trained weights on disk, as safetensors: no code runs on loading, and other languages read them too.

Tensors are float arrays named by their place in the trees, `params.hidden.0.linear.weight` or
`stats.output.mean`; the metadata holds the model's name, its config as JSON, the vocabulary and a checksum.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mmjax import bigram, mlp, tensors
from mmjax.errors import require
from mmjax.model import Config, Model, Predictor, named
from mmjax.vocab import Vocab

MODELS: dict[str, Any] = {"bigram": bigram, "mlp": mlp}


def save(path: str | Path, predictor: Predictor, vocab: Vocab) -> None:
    """Write the weights, the running statistics, the config and the vocabulary to one file, whole or not at all.

    Raises `InputError` if the model is none of `MODELS` or the file cannot be written.
    """
    arrays = {name: np.asarray(leaf) for name, leaf in named(predictor).items()}
    tensors.write(path, arrays, describe(predictor.model, predictor.config, vocab))


def load(path: str | Path) -> tuple[Predictor, Vocab]:
    """The predictor and vocabulary that `save` wrote, or those in a checkpoint of one network.

    Raises `InputError` if there is no such file, or it is damaged, of another kind, shape or version, or holds a number that is not finite.
    """

    def expect(metadata: tensors.Metadata) -> Mapping[str, Any]:
        return named(_shapes(*described(metadata)[:2]))

    arrays, metadata = tensors.read(path, expect, beside="opt_state.")
    model, config, vocab = described(metadata)
    leaves = [jnp.asarray(array) for array in arrays.values()]
    return jax.tree.unflatten(jax.tree.structure(_shapes(model, config)), leaves), vocab


def describe(model: Model, config: Config, vocab: Vocab) -> dict[str, str]:
    """What the metadata says of a model. Raises `InputError` if it is none of `MODELS`."""
    names = [name for name, known in MODELS.items() if known is model]
    require(bool(names), f"only the models {', '.join(MODELS)} can be saved")
    fields: Any = config
    return {
        "model": names[0],
        "config": json.dumps(asdict(fields)),
        "vocab": vocab.characters,
    }


def described(metadata: Mapping[str, str]) -> tuple[Model, Config, Vocab]:
    """The inverse of `describe`. Raises KeyError, TypeError, ValueError or `InputError` if it cannot be."""
    require(metadata["model"] in MODELS, f"a model {metadata['model']!r} is not known")
    model = MODELS[metadata["model"]]
    config = model.Config(**json.loads(metadata["config"]))
    vocab = Vocab(metadata["vocab"])
    require(config.vocab_size == vocab.size, "the vocabulary has another size than the config")
    return model, config, vocab


def _shapes(model: Model, config: Config) -> Predictor:
    params, stats = jax.eval_shape(lambda: model.init(config, jax.random.key(0)))
    return Predictor(model, config, params, stats)
