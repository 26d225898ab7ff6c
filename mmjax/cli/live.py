"""Names drawn while training, to watch them get better."""

import time
from functools import partial

import jax
import numpy as np

from mmjax import keys
from mmjax.data.vocab import BOUNDARY, Vocab
from mmjax.generate.sample import generate
from mmjax.io.text import shown
from mmjax.model import Model, Predictor
from mmjax.train import TrainState, predictor

NAMES = 3
LETTERS = 24  # of a name at most
PAUSE = 2.0  # seconds between two draws, at least
SHARE = 0.05  # of the time for drawing, at most, after the first draw


class LiveNames:
    """Draws a few names from a network in training, every few seconds.

    The names have a random stream of their own, so training gives the same with and without them.
    """

    def __init__(self, model: Model, vocab: Vocab, seed: int) -> None:
        self.model, self.vocab = model, vocab
        self.key = jax.random.fold_in(jax.random.key(seed), keys.LIVE)
        self.started = self.last = time.perf_counter()
        self.spent = 0.0

    def draw(self, state: TrainState) -> str | None:
        """Return names from a state, or None if it is too early for the next ones."""
        now = time.perf_counter()
        if now - self.last < PAUSE or self.spent > SHARE * (now - self.started):
            return None
        key = jax.random.fold_in(self.key, state.step)
        rows = np.asarray(_draw(predictor(self.model, state), key))
        letters = self.vocab.characters
        names = ["".join(letters[i - 1] for i in row if i != BOUNDARY) for row in rows.tolist()]
        self.last = time.perf_counter()
        self.spent += self.last - now
        return shown(", ".join(names))


# It runs for a few letters only, so the time to compile it matters more than fast code.
@partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
def _draw(trained: Predictor, key: jax.Array) -> jax.Array:
    prefix = jax.numpy.zeros(0, jax.numpy.int32)
    return generate(trained, key, prefix, batch=NAMES, max_length=LETTERS)[0]
