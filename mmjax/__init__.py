"""makemore, the character-level language models of the lecture, as pure JAX functions.

data          Data: lists of names, vocabularies, and the datasets that training draws batches from
models        Models: their layers, activations and norms, and one file for each kind
counts        Counting: bigram tables, their probabilities and their entropy
train         Training: recipes, optimizers, one step, jitted runs, the loop
metrics       Metrics for `train.fit`: functions of a chunk, one record per member
evaluate      Evaluation: losses, scores of names, the check against counting, recalibration
counting      Counted language models: Kneser-Ney smoothing, and mixtures of models
generate      Generation: new names from any model
distillation  Distillation: a dataset of what a teacher predicts, for a student to learn
diagnostics   Diagnostics: activations, gradients, update ratios and findings
plots         Plots: arrays in, a matplotlib Figure out; nothing is shown or saved
runs          Runs: the files of a training run, and its results as values
search        Search: many settings of network and recipe, compared by validation loss
report        The report: a run as one HTML page, with its pictures
cli           The command line: options, errors, interruption and progress
commands      The commands of `mmjax`; programs of `experiments` are the same under other names
model         The protocol of models, and the trained model as a predictor
keys          Random keys: a stream of its own for each use
spread        Arrays that are spread over devices, seen from inside `jax.shard_map`
io            The system: files, JSON, text for the terminal, and memory
errors        The error that programs show to the user as one line
static        Functions as constants of a compiled program: equal ones compile once
version       The version, readable without importing the library

The modules of the packages data, models, train, counting, generate and runs that you need most are
here too: `from mmjax import bigram, mlp, train, sample`.
"""

from mmjax import (
    counting,
    counts,
    data,
    diagnostics,
    distillation,
    evaluate,
    metrics,
    models,
    train,
)
from mmjax.counting import kneser_ney
from mmjax.data import corpus, vocab
from mmjax.data.vocab import Vocab
from mmjax.errors import InputError
from mmjax.generate import beam, conditions, sample
from mmjax.model import Predictor
from mmjax.models import bigram, folding, layers, lookup, mixture, mlp
from mmjax.runs import checkpoint, weights
from mmjax.train import members
from mmjax.version import __version__

__all__ = [
    "InputError",
    "Predictor",
    "Vocab",
    "__version__",
    "beam",
    "bigram",
    "checkpoint",
    "conditions",
    "corpus",
    "counting",
    "counts",
    "data",
    "diagnostics",
    "distillation",
    "evaluate",
    "folding",
    "kneser_ney",
    "layers",
    "lookup",
    "members",
    "metrics",
    "mixture",
    "mlp",
    "models",
    "sample",
    "train",
    "vocab",
    "weights",
]
