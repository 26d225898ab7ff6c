"""What the models have in common: two pure functions over pytrees, and what training leaves of them."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

import jax
from jaxtyping import Array, Float, Integer, PRNGKeyArray


@runtime_checkable
class Config(Protocol):
    """What every model's configuration tells."""

    @property
    def vocab_size(self) -> int:
        """Number of tokens, the boundary included."""
        ...

    @property
    def block_size(self) -> int:
        """Number of previous tokens that the model sees."""
        ...


@runtime_checkable
class Model(Protocol):
    """A model: the modules `mmjax.bigram` and `mmjax.mlp` are two, anything with these functions is one."""

    def init(self, config: Any, key: PRNGKeyArray, /) -> tuple[Any, Any]:
        """New (params, stats): what is learned, and what is tracked beside it."""
        ...

    def apply(
        self, config: Any, params: Any, stats: Any, contexts: Array, /, *, train: bool
    ) -> tuple[Array, Any]:
        """(logits [batch, vocab], new stats) for contexts [batch, block_size]."""
        ...


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["params", "stats"],
    meta_fields=["model", "config"],
)
@dataclass(frozen=True)
class Predictor:
    """A model with its parameters: contexts in, logits out, always with the running statistics.

    A pytree, so it passes through `jit` and `vmap` as it is. Evaluation and sampling take nothing
    else, so that neither can use a batch's own statistics by mistake.
    """

    model: Model
    config: Config
    params: Any
    stats: Any

    def logits(self, contexts: Integer[Array, "batch block_size"]) -> Float[Array, "batch vocab"]:
        """Unnormalised log-probabilities of the next token."""
        logits, _ = self.model.apply(self.config, self.params, self.stats, contexts, train=False)
        return logits


def parameter_count(params: Any) -> int:
    """Number of scalars in a pytree of parameters."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def named(tree: Any) -> dict[str, Any]:
    """The leaves of a pytree by their place in it, `hidden.0.linear.weight`, in its order."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): leaf
        for path, leaf in jax.tree.leaves_with_path(tree)
    }
