"""Mixtures of models, linear or geometric, with weights for each position."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Integer, PRNGKeyArray

from mmjax.data.vocab import BOUNDARY
from mmjax.errors import require, require_ranges
from mmjax.model import Model, Predictor, Tap, no_tap, require_model

KINDS = ("linear", "geometric")
MAX_COMPONENTS = 100
# A geometric mixture takes a probability of 0 as exp(-100), since 0 * -infinity is NaN.
LEAST = -100.0


class Params(NamedTuple):
    """The components' parameters, and their weights at each position."""

    components: tuple[Any, ...]
    weights: Float[Array, "positions components"]


@jax.tree_util.register_static
@dataclass(frozen=True)
class Mixture:
    """A mixture of models that have the same vocabulary.

    The linear kind is sum_k w_k p_k, with weights that sum to 1. The geometric kind is prod_k
    p_k^w_k / Z, where Z is the sum over the vocabulary and the weights are any numbers.
    """

    components: Sequence[Model]
    """The mixed models; each sees the end of the context that is as long as its own."""
    kind: str = "geometric"
    """How the probabilities are mixed, a name in KINDS."""
    positions: int = 16
    """Number of positions with weights of their own; the last one is for all later letters too."""

    def __post_init__(self):
        """Raise `InputError` if a field is out of range or the vocabularies differ."""
        components = tuple(self.components)  # JSON's lists are not hashable
        object.__setattr__(self, "components", components)
        require(self.kind in KINDS, f"kind must be one of {', '.join(KINDS)}, not {self.kind!r}")
        require_ranges(self, positions=(1, 1_000))
        require(
            1 <= len(components) <= MAX_COMPONENTS,
            f"a mixture has from 1 to {MAX_COMPONENTS} models, not {len(components)}",
        )
        for component in components:
            require_model(component)
        sizes = sorted({component.vocab_size for component in components})
        require(
            len(sizes) == 1,
            f"the models have vocabularies of {' and '.join(map(str, sizes))} tokens; mix models of "
            "the same vocabulary",
        )

    @property
    def vocab_size(self) -> int:
        """Number of tokens, including the boundary."""
        return self.components[0].vocab_size

    @property
    def block_size(self) -> int:
        """Number of previous tokens that the components and the position need."""
        return max(self.positions - 1, *(component.block_size for component in self.components))

    def init(self, key: PRNGKeyArray) -> tuple[Params, tuple[Any, ...]]:
        """Return new components with equal weights."""
        keys = jax.random.split(key, len(self.components))
        made = [component.init(k) for component, k in zip(self.components, keys, strict=True)]
        equal = jnp.full((self.positions, len(made)), 1 / len(made))
        return Params(tuple(params for params, _ in made), equal), tuple(stats for _, stats in made)

    def apply(
        self,
        params: Params,
        stats: tuple[Any, ...],
        contexts: Integer[Array, "batch block_size"],
        *,
        train: bool,
        key: PRNGKeyArray | None = None,
        tap: Tap = no_tap,
    ) -> tuple[Float[Array, "batch vocab"], tuple[Any, ...]]:
        """Return (log-probabilities of the next token, new statistics of the components).

        `tap` sees the layers of component i by their names after "i.".
        """
        logs, new_stats = [], []
        for i, (component, own, running) in enumerate(
            zip(self.components, params.components, stats, strict=True)
        ):
            logits, running = component.apply(
                *(own, running, contexts[:, -component.block_size :]),
                train=train,
                key=None if key is None else jax.random.fold_in(key, i),
                tap=partial(_named, tap, i),
            )
            logs.append(jax.nn.log_softmax(logits).astype(params.weights.dtype))
            new_stats.append(running)
        weights = params.weights[position(contexts, self.positions)]
        mixed = mix(self.kind, jnp.stack(logs, axis=1), weights)
        return tap("logits", mixed), tuple(new_stats)


# The same functions under their plain names: `mixture.apply(model, params, ...)`.
init = Mixture.init
apply = Mixture.apply


def components(predictor: Predictor) -> list[Predictor]:
    """Return the models of a mixture; none for another model."""
    model = predictor.model
    if not isinstance(model, Mixture):
        return []
    parts = zip(model.components, predictor.params.components, predictor.stats, strict=True)
    return [Predictor(*part) for part in parts]


@jax.jit
def mixed(
    predictor: Predictor,
    contexts: Integer[Array, "batch block_size"],
    logs: Float[Array, "batch components vocab"],
) -> Float[Array, "batch vocab"]:
    """Return the log-probabilities of a mixture from those of its components."""
    model, weights = predictor.model, predictor.params.weights
    assert isinstance(model, Mixture)
    at = position(contexts, model.positions)
    return mix(model.kind, logs.astype(weights.dtype), weights[at])


def _named(tap: Tap, i: int, name: str, x: Array) -> Array:
    return tap(f"{i}.{name}", x)


def position(contexts: Integer[Array, "batch block_size"], positions: int) -> Int[Array, "batch"]:
    """Return the number of letters before each example, cut at the last position."""
    letters = jnp.count_nonzero(contexts != BOUNDARY, axis=1)
    return jnp.minimum(letters, positions - 1)


def mix(
    kind: str,
    logs: Float[Array, "batch components vocab"],
    weights: Float[Array, "batch components"],
) -> Float[Array, "batch vocab"]:
    """Return the log-probabilities of a mixture of log-probabilities."""
    if kind == "linear":
        return jax.nn.logsumexp(logs + jnp.log(weights)[:, :, None], axis=1)
    floor = jnp.maximum(logs, jnp.asarray(LEAST, logs.dtype))
    return jax.nn.log_softmax(jnp.einsum("bk,bkv->bv", weights, floor))
