"""The protocol of models, and the trained model as a predictor."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer, PRNGKeyArray

from mmjax.errors import require

Tap = Callable[[str, Array], Array]


def no_tap(name: str, x: Array) -> Array:
    """Return a layer's output unchanged."""
    del name
    return x


@runtime_checkable
class Model(Protocol):
    """A model: its configuration, and two pure functions over pytrees.

    `mlp.MLP` and `bigram.Bigram` are models. Write your own as a frozen dataclass: it must be
    hashable, because `jax.jit` treats it as a constant. See docs/own-model.md.
    """

    @property
    def vocab_size(self) -> int:
        """Number of tokens, including the boundary."""
        ...

    @property
    def block_size(self) -> int:
        """Number of previous tokens that the model sees."""
        ...

    def init(self, key: PRNGKeyArray, /) -> tuple[Any, Any]:
        """Return new (params, stats): what is learned, and what is tracked besides."""
        ...

    def apply(
        self,
        params: Any,
        stats: Any,
        contexts: Array,
        /,
        *,
        train: bool,
        key: PRNGKeyArray | None = None,
        tap: Tap = no_tap,
    ) -> tuple[Array, Any]:
        """Return (logits [batch, vocab], new stats) for contexts [batch, block_size].

        `key` feeds random layers such as dropout, in training only. Call `tap(name, x)` with the
        output of every layer and continue with what it returns: this is how a caller records,
        perturbs or replaces a layer's output.
        """
        ...


@partial(jax.tree_util.register_dataclass, data_fields=["params", "stats"], meta_fields=["model"])
@dataclass(frozen=True)
class Predictor:
    """A trained model: contexts in, logits out, always with the running statistics.

    A pytree, so it passes through `jit` and `vmap`. Evaluation and sampling take nothing else, so
    neither can use a batch's own statistics by mistake.
    """

    model: Model
    params: Any
    stats: Any

    def logits(self, contexts: Integer[Array, "batch block_size"]) -> Float[Array, "batch vocab"]:
        """Return the unnormalised log-probabilities of the next token."""
        logits, _ = self.model.apply(self.params, self.stats, contexts, train=False)
        return logits


def require_model(model: Any) -> None:
    """Raise `InputError` unless `model` follows the protocol `Model` and is hashable."""
    name = type(model).__name__
    missing = [
        part for part in ("vocab_size", "block_size", "init", "apply") if not hasattr(model, part)
    ]
    called = getattr(model, "__name__", model)
    require(not isinstance(model, type), f"{called} is a class; give an instance, {called}(...)")
    require(
        not missing,
        f"the {name} {called} is not a model: it has no {', '.join(missing)}; give a model such as "
        "mlp.MLP()",
    )
    try:
        hash(model)
    except TypeError:
        require(False, f"the model {name} is not hashable; make it a @dataclass(frozen=True)")


@lru_cache(maxsize=256)
def layer_names(model: Model) -> tuple[str, ...]:
    """Return the layers' names in the order of the forward pass.

    `tap` sees the layers by these names. The lecture numbers its layers by this order,
    counting from 0: the activations of its network are 1, 4, 7, 10 and 13.
    """
    names: dict[str, None] = {}

    def tap(name: str, x: Array) -> Array:
        names[name] = None
        return x

    def forward(key: PRNGKeyArray) -> Any:
        params, stats = model.init(key)
        contexts = jnp.zeros((2, model.block_size), jnp.int32)
        return model.apply(params, stats, contexts, train=True, key=key, tap=tap)

    jax.eval_shape(forward, jax.random.key(0))
    return tuple(names)


def parameter_count(params: Any) -> int:
    """Return the number of scalars in a pytree of parameters."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def named(tree: Any) -> dict[str, Any]:
    """Return the leaves of a pytree by their path.

    A path is, for example, `hidden.0.linear.weight`. The order is that of the tree.
    """
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): leaf
        for path, leaf in jax.tree.leaves_with_path(tree)
    }
