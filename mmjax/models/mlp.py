"""The MLP over character embeddings, with explicit BatchNorm running state.

It has the deep form of the lecture: embedding, linear, tanh; then linear, BatchNorm and tanh for
each further hidden layer; then linear and BatchNorm for the logits. Options change each part of it.
Source: Bengio et al., A Neural Probabilistic Language Model
(https://www.jmlr.org/papers/v3/bengio03a.html).
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer, PRNGKeyArray

from mmjax.errors import require
from mmjax.model import Tap, no_tap
from mmjax.models import layers
from mmjax.models.activations import ACTIVATIONS
from mmjax.models.architecture import Architecture
from mmjax.models.layers import Linear
from mmjax.models.norms import NORMS

POSITION = 0x706F73  # folded into the key of `init` for the weights of the position


class Block(NamedTuple):
    """A linear layer and the normalisation after it, which is () without one."""

    linear: Linear
    norm: Any


class Params(NamedTuple):
    """The learned parameters: 47,351 numbers in the lecture's network."""

    embedding: Float[Array, "vocab embedding_dim"]
    input: Linear
    hidden: tuple[Block, ...]
    output: Block
    input_norm: Any = ()
    """Normalisation of the first layer, or ()."""
    position: Any = ()
    """Weights of the first layer for the name's length so far [block_size + 1, units], or ()."""


class Stats(NamedTuple):
    """Running moments of each BatchNorm, and () for other normalisations.

    They stand at the places of their blocks in `Params`.
    """

    hidden: tuple[Any, ...]
    output: Any
    input: Any = ()


@jax.tree_util.register_static
@dataclass(frozen=True)
class MLP(Architecture):
    """The network: its sizes and constants; the defaults are the lecture's."""

    def init(self, key: PRNGKeyArray) -> tuple[Params, Stats]:
        """Return new parameters and running statistics; `layers.linear_init` scales the weights."""
        sizes = self.layer_sizes
        embedding_key, *keys = jax.random.split(key, len(sizes))
        first, *hidden, last = [
            layers.linear_init(k, fan_in, fan_out, gain=self.gain)
            for k, (fan_in, fan_out) in zip(keys, pairwise(sizes), strict=True)
        ]
        if self.tied:
            # The product with the embedding has the variance that the weights have without it.
            last = layers.linear_init(keys[-1], sizes[-2], self.embedding_dim, gain=self.gain)
            last = Linear(last.weight / self.embedding_dim**0.5, jnp.zeros(self.vocab_size))
        if self.norm == "none" or not self.norm_output:
            last = last._replace(weight=self.output_gamma * last.weight)
        norm_init, none = NORMS[self.norm].init, NORMS["none"].init
        norms = [norm_init(size) for size in sizes[2:-1]]
        last_norm = (norm_init if self.norm_output else none)(sizes[-1], gamma=self.output_gamma)
        first_norm = (norm_init if self.norm_input else none)(sizes[1])
        position = ()
        if self.position:
            key = jax.random.fold_in(key, POSITION)
            position = layers.linear_init(key, self.block_size + 1, sizes[1]).weight
        params = Params(
            embedding=jax.random.normal(embedding_key, (self.vocab_size, self.embedding_dim)),
            input=first,
            hidden=tuple(
                Block(linear, norm) for linear, (norm, _) in zip(hidden, norms, strict=True)
            ),
            output=Block(last, last_norm[0]),
            input_norm=first_norm[0],
            position=position,
        )
        return params, Stats(tuple(stats for _, stats in norms), last_norm[1], first_norm[1])

    def apply(
        self,
        params: Params,
        stats: Stats,
        contexts: Integer[Array, "batch block_size"],
        *,
        train: bool,
        key: PRNGKeyArray | None = None,
        tap: Tap = no_tap,
    ) -> tuple[Float[Array, "batch vocab"], Stats]:
        """Return (logits of the next token, new running statistics).

        If `train` is True, the statistics of the batch (at least two rows) normalise it and update
        the running statistics. If it is False, the running statistics normalise it and are returned
        unchanged. Dropout needs a `key` in training. `tap` gets every layer's name and output, and
        may change the output.
        """
        require(
            not (train and self.drops) or key is not None,
            "dropout needs a key in training: apply(..., train=True, key=key)",
        )

        def layer(
            name: str,
            linear: Linear,
            norm: Any,
            running: Any,
            x: Array,
            offset: Array | None = None,
        ) -> tuple[Array, Any]:
            x = layers.linear(linear, x)
            x = tap(f"{name}.linear", x if offset is None else x + offset)
            if norm == ():
                return x, running
            x, running = NORMS[self.norm].apply(
                norm, running, x, train=train, momentum=self.momentum, eps=self.eps
            )
            return tap(f"{name}.norm", x), running

        def activation(name: str, number: int, x: Array) -> Array:
            x = tap(f"{name}.{self.activation}", ACTIVATIONS[self.activation].function(x))
            if not self.drops:
                return x
            if train and key is not None:
                x = layers.dropout(jax.random.fold_in(key, number), x, self.dropout)
            return tap(f"{name}.dropout", x)

        output = params.output.linear
        if self.tied:
            output = output._replace(weight=output.weight @ params.embedding.T)
        # In a context, only the letters of its own name are not 0.
        length = (contexts != 0).sum(axis=1)
        position = params.position[length] if self.position else None
        # -0 is 0: without a number of characters to embed, the slice holds all.
        x = params.embedding[contexts[:, -self.embedded :]].reshape(len(contexts), -1)
        x, first_stats = layer("input", params.input, params.input_norm, stats.input, x, position)
        x = activation("input", 0, x)
        hidden_stats = []
        for i, (hidden, running) in enumerate(zip(params.hidden, stats.hidden, strict=True)):
            name = f"hidden.{i}"
            before = x
            x, running = layer(name, hidden.linear, hidden.norm, running, x)
            x = activation(name, i + 1, x)
            if self.residual and x.shape == before.shape:
                x = tap(f"{name}.residual", before + x)
            hidden_stats.append(running)
        logits, last_stats = layer("output", output, params.output.norm, stats.output, x)
        return logits, Stats(tuple(hidden_stats), last_stats, first_stats)


# The same functions under their plain names: `mlp.apply(model, params, ...)`.
init = MLP.init
apply = MLP.apply
