"""makemore, the character-level language models of the lecture, as pure JAX functions."""

from mmjax import (
    batches,
    bigram,
    checkpoint,
    contexts,
    corpus,
    counts,
    diagnostics,
    evaluate,
    layers,
    lookup,
    many,
    mlp,
    model,
    sample,
    train,
    vocab,
    weights,
)
from mmjax.errors import InputError
from mmjax.model import Predictor
from mmjax.version import __version__
from mmjax.vocab import Vocab

__all__ = [
    "InputError",
    "Predictor",
    "Vocab",
    "__version__",
    "batches",
    "bigram",
    "checkpoint",
    "contexts",
    "corpus",
    "counts",
    "diagnostics",
    "evaluate",
    "layers",
    "lookup",
    "many",
    "mlp",
    "model",
    "sample",
    "train",
    "vocab",
    "weights",
]
