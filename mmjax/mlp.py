"""The multi-layer perceptron over character embeddings, with BatchNorm's running state threaded through.

Bengio et al., A Neural Probabilistic Language Model (https://www.jmlr.org/papers/v3/bengio03a.html),
in the deep form of the lecture: embedding, linear, tanh, then (linear, BatchNorm, tanh) for every
further hidden layer, then linear and BatchNorm for the logits.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer, PRNGKeyArray

from mmjax import layers
from mmjax.errors import require_ranges
from mmjax.layers import BatchNorm, Linear, Moments


@jax.tree_util.register_static
@dataclass(frozen=True)
class Config:
    """Sizes and constants of the network; the defaults are the document's."""

    vocab_size: int = 27
    """Number of tokens, the boundary included."""
    block_size: int = 3
    """Context: how many previous characters the network sees."""
    embedding_dim: int = 10
    """Numbers that stand for one character."""
    hidden_size: int = 100
    """Units of each hidden layer."""
    hidden_layers: int = 5
    """Number of tanh layers; all but the first are batch-normalised."""
    gain: float = 5 / 3
    """Factor on the initial weights of every linear layer, for the sake of the tanh behind all but the last."""
    output_gamma: float = 0.1
    """Initial scale of the logits: small, so that the first loss is near ln(vocab_size)."""
    momentum: float = 0.1
    """Weight of the newest batch in BatchNorm's running statistics."""
    eps: float = 1e-5
    """Added to a variance before it divides."""

    def __post_init__(self):
        """Raise `InputError` if a number is out of range."""
        require_ranges(
            self,
            vocab_size=(2, 65_536),
            block_size=(1, 1_000),
            embedding_dim=(1, 65_536),
            hidden_size=(1, 65_536),
            hidden_layers=(1, 100),
            gain=(0.0, 1e6),
            output_gamma=(0.0, 1e6),
            momentum=(0.0, 1.0),
            eps=(1e-12, 1.0),
        )


class Block(NamedTuple):
    """A linear layer and the BatchNorm behind it."""

    linear: Linear
    norm: BatchNorm


class Params(NamedTuple):
    """What is learned: 47,351 numbers in the document's network."""

    embedding: Float[Array, "vocab embedding_dim"]
    input: Linear
    hidden: tuple[Block, ...]
    output: Block


class Stats(NamedTuple):
    """Running moments of the BatchNorm layers, in the places of their blocks in `Params`."""

    hidden: tuple[Moments, ...]
    output: Moments


def init(config: Config, key: PRNGKeyArray) -> tuple[Params, Stats]:
    """New parameters and running statistics; see `layers.linear_init` for the scale of the weights."""
    embedding_key, *keys = jax.random.split(key, config.hidden_layers + 2)
    width = [config.hidden_size] * config.hidden_layers
    sizes = [config.block_size * config.embedding_dim, *width, config.vocab_size]
    first, *hidden, last = [
        layers.linear_init(k, fan_in, fan_out, gain=config.gain)
        for k, fan_in, fan_out in zip(keys, sizes[:-1], sizes[1:], strict=True)
    ]
    norms = [layers.batch_norm_init(config.hidden_size) for _ in hidden]
    last_norm, last_stats = layers.batch_norm_init(config.vocab_size, gamma=config.output_gamma)
    params = Params(
        embedding=jax.random.normal(embedding_key, (config.vocab_size, config.embedding_dim)),
        input=first,
        hidden=tuple(Block(layer, norm) for layer, (norm, _) in zip(hidden, norms, strict=True)),
        output=Block(last, last_norm),
    )
    return params, Stats(tuple(stats for _, stats in norms), last_stats)


def layer_names(config: Config) -> tuple[str, ...]:
    """The layers in the order of the forward pass; a layer's place in it is the document's number for it.

    So the tanh layers of its network are 1, 4, 7, 10 and 13.
    """
    blocks = (f"hidden.{i}" for i in range(config.hidden_layers - 1))
    hidden = (f"{block}.{part}" for block in blocks for part in ("linear", "norm", "tanh"))
    return ("input.linear", "input.tanh", *hidden, "output.linear", "output.norm")


def trace(
    config: Config,
    params: Params,
    stats: Stats,
    contexts: Integer[Array, "batch block_size"],
    *,
    train: bool,
    probes: dict[str, Array] | None = None,
) -> tuple[Float[Array, "batch vocab"], Stats, dict[str, Array]]:
    """The forward pass: (logits, new running statistics, the output of each layer by its name).

    `probes`, arrays to add to those outputs, are for looking inside: the gradient with respect to
    zeros added to an output is the gradient of the output.
    """
    outputs: dict[str, Array] = {}

    def out(name: str, x: Array) -> Array:
        outputs[name] = x if probes is None else x + probes[name]
        return outputs[name]

    def block(name: str, params: Block, running: Moments, x: Array) -> tuple[Array, Moments]:
        x = out(f"{name}.linear", layers.linear(params.linear, x))
        x, running = layers.batch_norm(
            params.norm, running, x, train=train, momentum=config.momentum, eps=config.eps
        )
        return out(f"{name}.norm", x), running

    x = params.embedding[contexts].reshape(len(contexts), -1)
    x = out("input.linear", layers.linear(params.input, x))
    x = out("input.tanh", jnp.tanh(x))
    hidden_stats = []
    for i, (hidden, running) in enumerate(zip(params.hidden, stats.hidden, strict=True)):
        x, running = block(f"hidden.{i}", hidden, running, x)
        x = out(f"hidden.{i}.tanh", jnp.tanh(x))
        hidden_stats.append(running)
    logits, output_stats = block("output", params.output, stats.output, x)
    return logits, Stats(tuple(hidden_stats), output_stats), outputs


def apply(
    config: Config,
    params: Params,
    stats: Stats,
    contexts: Integer[Array, "batch block_size"],
    *,
    train: bool,
) -> tuple[Float[Array, "batch vocab"], Stats]:
    """(logits of the next token, new running statistics).

    With `train` the batch's own statistics normalise it (it needs at least two rows) and move the
    running ones; without, the running ones normalise it and are returned as they came.
    """
    logits, stats, _ = trace(config, params, stats, contexts, train=train)
    return logits, stats
