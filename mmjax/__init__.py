"""makemore, the character-level language models of the lecture, as pure JAX functions.

bigram       The bigram as a neural network: one row of logits for each previous token
checkpoint   Checkpoints: the whole state of a training run in one file
corpus       Lists of names: read, split and encoded as one flat array of tokens
counts       Counting: bigram tables, their probabilities and their entropy
data         Datasets: what training steps draw their batches from
diagnostics  Diagnostics: activations, gradients, update ratios and findings
divergence   Where a training run first came to a number that is not finite
errors       The error that speaks to the user
evaluate     Evaluation: losses, the check against counting, recalibration
figures      Figures: arrays in, a matplotlib Figure out; nothing is shown or saved
files        Files: read with care, written whole or not at all
layers       Layers: linear and BatchNorm, parameters and a pure function each
lookup       A model with a short context as a table of logits, computed once
memory       Memory: how much there is, and refusal of what does not fit
metrics      Metrics for `train.fit`: functions of a chunk, one record per member
mlp          The MLP over character embeddings, with explicit BatchNorm running state
model        The protocol of models, and the trained model as a predictor
sample       Sampling: new names from any model
static       Functions as constants of a compiled program: equal ones compile once
tensors      Named arrays in one safetensors file with a checksum
train        Training: recipes, optimizers, one step, jitted runs, the loop
version      The version, readable without importing the library
vocab        The vocabulary: characters to tokens and back
weights      Weights on disk: save and load trained models
"""

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
