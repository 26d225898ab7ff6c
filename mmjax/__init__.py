"""makemore, the character-level language models of the lecture, as pure JAX functions."""

from mmjax import (
    bigram,
    checkpoint,
    corpus,
    counts,
    data,
    diagnostics,
    divergence,
    evaluate,
    layers,
    lookup,
    metrics,
    mlp,
    model,
    sample,
    train,
    vocab,
    weights,
)
from mmjax.errors import InputError
from mmjax.model import Predictor
from mmjax.train import members
from mmjax.version import __version__
from mmjax.vocab import Vocab

__all__ = [
    "InputError",
    "Predictor",
    "Vocab",
    "__version__",
    "bigram",
    "checkpoint",
    "corpus",
    "counts",
    "data",
    "diagnostics",
    "divergence",
    "evaluate",
    "layers",
    "lookup",
    "members",
    "metrics",
    "mlp",
    "model",
    "sample",
    "train",
    "vocab",
    "weights",
]
