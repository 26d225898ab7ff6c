"""Trained weights on disk, as safetensors: no code runs on loading, and other languages read them too.

Tensors are float arrays named by their place in the trees, `params.hidden.0.linear.weight` or
`stats.output.mean`; the metadata holds the model's name, its config as JSON and the vocabulary.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from mmjax import bigram, files, mlp
from mmjax.errors import InputError, require
from mmjax.model import Predictor, named
from mmjax.vocab import Vocab

MODELS: dict[str, Any] = {"bigram": bigram, "mlp": mlp}
FORMAT = "mmjax 1"


def save(path: str | Path, predictor: Predictor, vocab: Vocab) -> None:
    """Write the weights, the running statistics, the config and the vocabulary to one file, whole or not at all.

    Raises `InputError` if the model is none of `MODELS` or the file cannot be written.
    """
    names = [name for name, model in MODELS.items() if model is predictor.model]
    require(bool(names), f"only the models {', '.join(MODELS)} can be saved")
    config: Any = predictor.config
    metadata = {
        "format": FORMAT,
        "model": names[0],
        "config": json.dumps(asdict(config)),
        "vocab": vocab.characters,
    }
    tensors = {name: np.asarray(leaf) for name, leaf in named(predictor).items()}
    files.write(path, to_bytes(tensors, metadata))


def load(path: str | Path) -> tuple[Predictor, Vocab]:
    """The predictor and vocabulary that `save` wrote.

    Raises `InputError` if there is no such file, or it is cut off, of another kind or shape.
    """
    try:
        with safe_open(str(path), "numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; train a model first") from None
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: no whole safetensors file: {error}") from None
    require(
        metadata.get("format") == FORMAT,
        f"{path}: was not written by mmjax; give a model.safetensors from a run folder",
    )
    try:
        model = MODELS[metadata["model"]]
        config = model.Config(**json.loads(metadata["config"]))
        vocab = Vocab(metadata["vocab"])
        require(config.vocab_size == vocab.size, "the vocabulary has another size than the config")
    except (KeyError, TypeError, ValueError, InputError) as error:
        raise InputError(f"{path}: unusable metadata: {error}") from None
    shapes = Predictor(
        model, config, *jax.eval_shape(lambda: model.init(config, jax.random.key(0)))
    )
    wanted = named(shapes)
    for name in [*wanted, *tensors]:
        require(name in tensors, f"{path}: the tensor {name} is missing; train and save it anew")
        require(name in wanted, f"{path}: has a tensor {name} that its model does not have")
        require(
            tensors[name].shape == wanted[name].shape and tensors[name].dtype.kind == "f",
            f"{path}: the tensor {name} is {tensors[name].dtype} {tensors[name].shape}, "
            f"not float {wanted[name].shape}",
        )
    leaves = [jnp.asarray(tensors[name]) for name in wanted]
    return jax.tree.unflatten(jax.tree.structure(shapes), leaves), vocab
