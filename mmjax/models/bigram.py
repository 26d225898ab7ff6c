"""The bigram as a neural network: one row of logits per token."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer, PRNGKeyArray, Real

from mmjax import counts as counting
from mmjax.errors import require_ranges
from mmjax.model import Tap, no_tap


class Params(NamedTuple):
    """The parameters of a bigram.

    Row a of the weight holds the logits of the token after a. It is the lecture's W, where
    `one_hot(a) @ W == W[a]`.
    """

    weight: Float[Array, "vocab vocab"]


@jax.tree_util.register_static
@dataclass(frozen=True)
class Bigram:
    """The bigram model, which sees only the previous token."""

    vocab_size: int = 27
    """Number of tokens, including the boundary."""

    def __post_init__(self):
        """Raise `InputError` if the size is out of range."""
        require_ranges(self, vocab_size=(2, 65_536))

    @property
    def block_size(self) -> int:
        """Always 1: a bigram sees only the previous token."""
        return 1

    def init(self, key: PRNGKeyArray) -> tuple[Params, tuple[()]]:
        """Return weights drawn from N(0, 1), as in the lecture.

        The statistics are empty.
        """
        return Params(jax.random.normal(key, (self.vocab_size, self.vocab_size))), ()

    def apply(
        self,
        params: Params,
        stats: tuple[()],
        contexts: Integer[Array, "batch block_size"],
        *,
        train: bool,
        key: PRNGKeyArray | None = None,
        tap: Tap = no_tap,
    ) -> tuple[Float[Array, "batch vocab"], tuple[()]]:
        """Return (logits of the next token, unchanged stats).

        They are the same in training and evaluation.
        """
        del train, key
        return tap("logits", params.weight[contexts[:, -1]]), stats


# The same functions under their plain names: `bigram.apply(model, params, ...)`.
init = Bigram.init
apply = Bigram.apply


def from_counts(counts: counting.Table, *, smoothing: float = 0.0) -> Params:
    """Return parameters whose logits are the logarithms of the counted probabilities.

    `smoothing` is added to every count. With 0, a pair that does not occur has the logit -inf.
    """
    with np.errstate(divide="ignore"):
        log_probs = np.log(counting.probabilities(counts, smoothing=smoothing))
    return Params(jnp.asarray(log_probs, jnp.result_type(float)))


def probabilities(model: Bigram, params: Params) -> Float[Array, "vocab vocab"]:
    """Return P(next | previous) of every pair, to compare with `counts.probabilities`."""
    every_token = jnp.arange(model.vocab_size)[:, None]
    logits, _ = model.apply(params, (), every_token, train=False)
    return jax.nn.softmax(logits)


def loss(
    model: Bigram,
    params: Params,
    counts: Real[Array, "vocab vocab"],
    *,
    penalty: float,
) -> Float[Array, ""]:
    """Return the NLL of bigram `counts`, plus a penalty.

    In nats per character. The penalty is `penalty * mean(weight**2)`. Examples with the same pair
    have the same loss, so the table of counts replaces the full batch. The penalty pulls every row
    towards uniform, as adding to the counts does: both are smoothing.
    """
    every_token = jnp.arange(model.vocab_size)[:, None]
    logits, _ = model.apply(params, (), every_token, train=True)
    frequency = (counts / counts.sum()).astype(logits.dtype)
    # A pair that does not occur costs nothing, even where its logit is -inf.
    nll = -jnp.sum(frequency * jax.nn.log_softmax(logits), where=counts > 0)
    return nll + penalty * jnp.mean(params.weight**2) if penalty else nll
