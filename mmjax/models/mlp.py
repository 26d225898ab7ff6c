"""The MLP over character embeddings, with explicit BatchNorm running state.

It has the deep form of the lecture: embedding, linear, tanh; then linear, BatchNorm and tanh for
each further hidden layer; then linear and BatchNorm for the logits. Source: Bengio et al., A Neural
Probabilistic Language Model (https://www.jmlr.org/papers/v3/bengio03a.html).
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
from jaxtyping import Array, Float, Integer, PRNGKeyArray

from mmjax.errors import require, require_ranges
from mmjax.model import Tap, no_tap
from mmjax.models import layers
from mmjax.models.activations import ACTIVATIONS
from mmjax.models.layers import BatchNorm, Linear, Moments
from mmjax.models.norms import NORMS


class Block(NamedTuple):
    """A linear layer and the normalisation after it."""

    linear: Linear
    norm: BatchNorm


class Params(NamedTuple):
    """The learned parameters: 47,351 numbers in the lecture's network."""

    embedding: Float[Array, "vocab embedding_dim"]
    input: Linear
    hidden: tuple[Block, ...]
    output: Block


class Stats(NamedTuple):
    """Running moments of the normalisations, at the places of their blocks in `Params`."""

    hidden: tuple[Moments, ...]
    output: Moments


@jax.tree_util.register_static
@dataclass(frozen=True)
class MLP:
    """The network: its sizes and constants; the defaults are the lecture's."""

    vocab_size: int = 27
    """Number of tokens, including the boundary."""
    block_size: int = 3
    """Context: number of previous characters that the network sees."""
    embedding_dim: int = 10
    """Size of each character's embedding."""
    hidden_size: int = 100
    """Units in each hidden layer."""
    hidden_layers: int = 5
    """Number of hidden layers; every one except the first has a normalisation."""
    activation: str = "tanh"
    """Function after each hidden layer, a name in ACTIVATIONS."""
    norm: str = "batch"
    """Normalisation after each linear layer except the first, a name in NORMS."""
    gain: float = 5 / 3
    """Factor on the initial weights of every linear layer; 5/3 offsets the shrinking by tanh."""
    output_gamma: float = 0.1
    """Initial scale of the logits; a small one puts the first loss near ln(vocab_size)."""
    momentum: float = 0.1
    """Weight of the newest batch in BatchNorm's running statistics."""
    eps: float = 1e-5
    """Added to a variance before dividing by its root."""

    def __post_init__(self):
        """Raise `InputError` if a number is out of range or a name is unknown."""
        for field, known in (("activation", ACTIVATIONS), ("norm", NORMS)):
            name = getattr(self, field)
            require(name in known, f"{field} must be one of {', '.join(known)}, not {name!r}")
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

    def init(self, key: PRNGKeyArray) -> tuple[Params, Stats]:
        """Return new parameters and running statistics; `layers.linear_init` scales the weights."""
        embedding_key, *keys = jax.random.split(key, self.hidden_layers + 2)
        width = [self.hidden_size] * self.hidden_layers
        sizes = [self.block_size * self.embedding_dim, *width, self.vocab_size]
        first, *hidden, last = [
            layers.linear_init(k, fan_in, fan_out, gain=self.gain)
            for k, fan_in, fan_out in zip(keys, sizes[:-1], sizes[1:], strict=True)
        ]
        norm_init = NORMS[self.norm].init
        norms = [norm_init(self.hidden_size) for _ in hidden]
        last_norm, last_stats = norm_init(self.vocab_size, gamma=self.output_gamma)
        params = Params(
            embedding=jax.random.normal(embedding_key, (self.vocab_size, self.embedding_dim)),
            input=first,
            hidden=tuple(
                Block(linear, norm) for linear, (norm, _) in zip(hidden, norms, strict=True)
            ),
            output=Block(last, last_norm),
        )
        return params, Stats(tuple(stats for _, stats in norms), last_stats)

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
        unchanged. `tap` gets every layer's name and output, and may change the output.
        """
        del key  # nothing here is random
        norm = NORMS[self.norm].apply

        def activation(name: str, x: Array) -> Array:
            return tap(f"{name}.{self.activation}", ACTIVATIONS[self.activation].function(x))

        def block(name: str, params: Block, running: Moments, x: Array) -> tuple[Array, Moments]:
            x = tap(f"{name}.linear", layers.linear(params.linear, x))
            x, running = norm(
                params.norm, running, x, train=train, momentum=self.momentum, eps=self.eps
            )
            return tap(f"{name}.norm", x), running

        x = params.embedding[contexts].reshape(len(contexts), -1)
        x = tap("input.linear", layers.linear(params.input, x))
        x = activation("input", x)
        hidden_stats = []
        for i, (hidden, running) in enumerate(zip(params.hidden, stats.hidden, strict=True)):
            x, running = block(f"hidden.{i}", hidden, running, x)
            x = activation(f"hidden.{i}", x)
            hidden_stats.append(running)
        logits, output_stats = block("output", params.output, stats.output, x)
        return logits, Stats(tuple(hidden_stats), output_stats)


# The same functions under their plain names: `mlp.apply(model, params, ...)`.
init = MLP.init
apply = MLP.apply
