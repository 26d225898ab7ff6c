"""The bigram as a neural network: one row of logits for each previous token."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer, PRNGKeyArray, Real

from mmjax import counts as counting
from mmjax.errors import require_ranges


@jax.tree_util.register_static
@dataclass(frozen=True)
class Config:
    """Size of the bigram."""

    vocab_size: int = 27
    """Number of tokens, the boundary included."""

    def __post_init__(self):
        """Raise `InputError` if the size is out of range."""
        require_ranges(self, vocab_size=(2, 65_536))

    @property
    def block_size(self) -> int:
        """One: the previous token is all that a bigram sees."""
        return 1


class Params(NamedTuple):
    """Row a holds the logits of the token after a: the lecture's W, `one_hot(a) @ W == W[a]`."""

    weight: Float[Array, "vocab vocab"]


def init(config: Config, key: PRNGKeyArray) -> tuple[Params, tuple[()]]:
    """Weights drawn from N(0, 1), as in the lecture; nothing is tracked."""
    return Params(jax.random.normal(key, (config.vocab_size, config.vocab_size))), ()


def from_counts(counts: counting.Table, *, smoothing: float = 0.0) -> Params:
    """The bigram that predicts exactly what counting does: its logits are log-probabilities."""
    with np.errstate(divide="ignore"):
        log_probs = np.log(counting.probabilities(counts, smoothing=smoothing))
    return Params(jnp.asarray(log_probs, jnp.result_type(float)))


def apply(
    config: Config,
    params: Params,
    stats: tuple[()],
    contexts: Integer[Array, "batch block_size"],
    *,
    train: bool,
) -> tuple[Float[Array, "batch vocab"], tuple[()]]:
    """(logits of the next token, stats unchanged); training and evaluation are the same here."""
    del config, train
    return params.weight[contexts[:, -1]], stats


def probabilities(config: Config, params: Params) -> Float[Array, "vocab vocab"]:
    """P(next | previous) of every pair, to be held against `counts.probabilities`."""
    every_token = jnp.arange(config.vocab_size)[:, None]
    logits, _ = apply(config, params, (), every_token, train=False)
    return jax.nn.softmax(logits)


def loss(
    config: Config,
    params: Params,
    counts: Real[Array, "vocab vocab"],
    *,
    penalty: float,
) -> Float[Array, ""]:
    """NLL over the whole list of these bigram `counts`, in nats a token, plus `penalty * mean(weight**2)`.

    Examples with the same pair have the same loss, so the full batch is its table of counts. The
    penalty pulls every row towards uniform, as adding to the counts does: both smooth.
    """
    every_token = jnp.arange(config.vocab_size)[:, None]
    logits, _ = apply(config, params, (), every_token, train=True)
    frequency = (counts / counts.sum()).astype(logits.dtype)
    # A pair that does not occur costs nothing, even where its logit is -inf.
    nll = -jnp.sum(frequency * jax.nn.log_softmax(logits), where=counts > 0)
    return nll + penalty * jnp.mean(params.weight**2) if penalty else nll
