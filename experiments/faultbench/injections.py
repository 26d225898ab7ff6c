"""Ways to break a run: datasets, forward passes and states."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Integer, PRNGKeyArray

from experiments.faultbench.case import Parts
from mmjax.data import Batch, Windows, corpus
from mmjax.data.vocab import BOUNDARY
from mmjax.model import Model, Tap, no_tap
from mmjax.train import TrainState

# Datasets: how training reads its list.


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["tokens"],
    meta_fields=["block_size", "ahead", "change", "same_key"],
)
@dataclass(frozen=True)
class Misread:
    """Windows of a list whose examples are changed after they were drawn."""

    tokens: Any
    block_size: int
    ahead: int = 1
    """How many tokens after the newest token of the context the target stands; 1 is right."""
    change: Callable[[Batch, PRNGKeyArray], Batch] = lambda batch, key: batch
    same_key: bool = False
    """Whether every step draws the same batch."""

    def draw(self, key: PRNGKeyArray, batch_size: int) -> tuple[Array, Array]:
        """Return windows with all tokens up to the target, and a key for changes."""
        key = jax.random.fold_in(key, 0)
        drawing = jax.random.key(0) if self.same_key else key
        last = len(self.tokens) - 1 - max(self.ahead, 1)
        index = jax.random.randint(drawing, (batch_size,), 0, last + 1)
        windows = corpus.cut(self.tokens, index, self.block_size)
        targets = self.tokens[index + self.ahead]
        return jnp.concatenate([windows[:, :-1], targets[:, None]], axis=1), key

    def batch(self, drawn: tuple[Array, Array]) -> Batch:
        """Return the changed examples."""
        windows, key = drawn
        return self.change(Batch(*corpus.examples(windows)), key)


def ahead(count: int) -> Callable[[np.ndarray, Model], Misread]:
    """Return what reads targets at another place: 1 is the next token."""
    return lambda tokens, model: Misread(jnp.asarray(tokens), model.block_size, count)


def misread(change: Callable[[Batch, PRNGKeyArray], Batch]) -> Callable[..., Misread]:
    """Return what changes each batch."""
    return lambda tokens, model: Misread(jnp.asarray(tokens), model.block_size, change=change)


def same_batch(tokens: np.ndarray, model: Model) -> Misread:
    """Return a dataset that draws the same examples in every step."""
    return Misread(jnp.asarray(tokens), model.block_size, same_key=True)


def reverse(batch: Batch, key: PRNGKeyArray) -> Batch:
    """Reverse the contexts."""
    del key
    return batch._replace(contexts=batch.contexts[:, ::-1])


def noise_targets(share: float, vocab_size: int) -> Callable[[Batch, PRNGKeyArray], Batch]:
    """Return what replaces a share of the targets by random tokens."""

    def change(batch: Batch, key: PRNGKeyArray) -> Batch:
        targets: Any = batch.targets
        first, second = jax.random.split(key)
        other = jax.random.randint(first, targets.shape, 0, vocab_size).astype(targets.dtype)
        chosen = jax.random.bernoulli(second, share, targets.shape)
        return batch._replace(targets=jnp.where(chosen, other, targets))

    return change


def without_boundaries(tokens: np.ndarray, model: Model) -> Windows:
    """Return windows of the letters alone, as if the list were one long name."""
    letters = tokens[tokens != BOUNDARY]
    return Windows(jnp.asarray(np.resize(letters, len(tokens))), model.block_size)


# Parts of the list.


def names_of(tokens: np.ndarray) -> list[np.ndarray]:
    """Return the names of flat tokens, each with the boundary after it."""
    return np.split(tokens[1:], np.flatnonzero(tokens[1:] == BOUNDARY) + 1)[:-1]


def joined(names: list[np.ndarray]) -> np.ndarray:
    """Return names as flat tokens: the inverse of `names_of`."""
    return np.concatenate([np.zeros(1, names[0].dtype), *names])


def leaked(parts: Parts) -> Parts:
    """Take the validation names from the training names."""
    return parts | {"val": joined(names_of(parts["train"])[: len(names_of(parts["val"]))])}


def sorted_by(order: Callable[[np.ndarray], Any]) -> Callable[[Parts], Parts]:
    """Return what sorts the whole list before it cuts it."""

    def change(parts: Parts) -> Parts:
        names = sorted(names_of(parts["train"]) + names_of(parts["val"]), key=order)
        cut = len(names_of(parts["train"]))
        return parts | {"train": joined(names[:cut]), "val": joined(names[cut:])}

    return change


def first_names(count: int) -> Callable[[Parts], Parts]:
    """Return what keeps the first training names alone."""
    return lambda parts: parts | {"train": joined(names_of(parts["train"])[:count])}


def doubled(parts: Parts) -> Parts:
    """Take half of the list twice, shuffle and cut it."""
    names = names_of(parts["train"]) + names_of(parts["val"])
    names = names[: len(names) // 2] * 2
    shuffled = [names[i] for i in np.random.default_rng(0).permutation(len(names))]
    cut = int(len(shuffled) * 8 / 9)
    return parts | {"train": joined(shuffled[:cut]), "val": joined(shuffled[cut:])}


def renumbered(parts: Parts) -> Parts:
    """Number the letters of the validation part backwards, as by another vocabulary."""
    val = parts["val"]
    last = max(int(part.max()) for part in parts.values())
    return parts | {"val": np.where(val == BOUNDARY, val, last + 1 - val).astype(val.dtype)}


# Forward passes.

Before = Callable[[Any, Any, Array, bool], tuple[Any, Any, Array, bool]]


@jax.tree_util.register_static
@dataclass(frozen=True)
class Wrapped:
    """A network whose arguments are changed before each forward pass."""

    inner: Model
    before: Before

    @property
    def vocab_size(self) -> int:
        """Number of tokens."""
        return self.inner.vocab_size

    @property
    def block_size(self) -> int:
        """Tokens in a context."""
        return self.inner.block_size

    def init(self, key: PRNGKeyArray) -> tuple[Any, Any]:
        """Return the parameters and statistics of the network."""
        return self.inner.init(key)

    def apply(
        self,
        params: Any,
        stats: Any,
        contexts: Integer[Array, "batch block_size"],
        *,
        train: bool,
        key: PRNGKeyArray | None = None,
        tap: Tap = no_tap,
    ) -> tuple[Array, Any]:
        """Return what the network returns for changed arguments."""
        params, own, contexts, mode = self.before(params, stats, contexts, train)
        logits, new = self.inner.apply(params, own, contexts, train=mode, key=key, tap=tap)
        return logits, new if train else stats


def freezing(freeze: Callable[[Any], Any]) -> Callable[[Model], Wrapped]:
    """Return what stops the gradients of some parameters."""

    def before(params: Any, stats: Any, contexts: Array, train: bool) -> Any:
        return freeze(params), stats, contexts, train

    return lambda model: Wrapped(model, before)


def frozen_hidden(params: Any) -> Any:
    """Stop the gradient of the second hidden layer."""
    hidden = list(params.hidden)
    hidden[1] = jax.tree.map(jax.lax.stop_gradient, hidden[1])
    return params._replace(hidden=tuple(hidden))


def frozen_embedding(params: Any) -> Any:
    """Stop the gradient of the embedding."""
    return params._replace(embedding=jax.lax.stop_gradient(params.embedding))


def always_training(model: Model) -> Wrapped:
    """Return a network that takes the batch's statistics in evaluation, too."""
    return Wrapped(model, _in_training)


def _in_training(params: Any, stats: Any, contexts: Array, train: bool) -> Any:
    del train
    return params, stats, contexts, True


# States.


def params_changed(change: Callable[[Any], Any]) -> Callable[[TrainState], TrainState]:
    """Return what changes the parameters, and the average of them if there is one."""

    def start(state: TrainState) -> TrainState:
        params = change(state.params)
        return state._replace(params=params, ema=None if state.ema is None else params)

    return start


def hidden_changed(layer: int, change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return what changes one hidden block of the parameters, or of the statistics."""

    def changed(tree: Any) -> Any:
        hidden = list(tree.hidden)
        hidden[layer] = change(hidden[layer])
        return tree._replace(hidden=tuple(hidden))

    return changed


def beta(value: float, share: float) -> Callable[[Any], Any]:
    """Return what sets a share of a normalisation's shifts to +value or -value in turn."""

    def changed(block: Any) -> Any:
        units = np.arange(block.norm.beta.size)
        chosen = jnp.asarray(units < share * len(units))
        signs = jnp.asarray(np.where(units % 2, 1.0, -1.0), block.norm.beta.dtype)
        shifts = jnp.where(chosen, abs(value) * signs if value > 0 else value, block.norm.beta)
        return block._replace(norm=block.norm._replace(beta=shifts.astype(block.norm.beta.dtype)))

    return changed


def gamma(value: float) -> Callable[[Any], Any]:
    """Return what multiplies a normalisation's scale."""
    return lambda block: block._replace(norm=block.norm._replace(gamma=value * block.norm.gamma))


def weights_times(factor: float) -> Callable[[Any], Any]:
    """Return what multiplies the weights of a block."""
    return lambda block: block._replace(
        linear=block.linear._replace(weight=factor * block.linear.weight)
    )


def output_bias(params: Any) -> Any:
    """Add 10 to the shift of one letter's logit."""
    norm = params.output.norm
    return params._replace(
        output=params.output._replace(norm=norm._replace(beta=norm.beta.at[1].add(10.0)))
    )


def nan_row(params: Any) -> Any:
    """Put a NaN into the embedding of the second letter."""
    return params._replace(embedding=params.embedding.at[2, 0].set(jnp.nan))


def nan_statistics(state: TrainState) -> TrainState:
    """Put a NaN into a running mean."""
    change = hidden_changed(0, lambda own: own._replace(mean=own.mean.at[3].set(jnp.nan)))
    return state._replace(stats=change(state.stats))


def swapped_statistics(state: TrainState) -> TrainState:
    """Exchange the running statistics of the first and the last hidden normalisation."""
    first, *others, last = state.stats.hidden
    return state._replace(stats=state.stats._replace(hidden=(last, *others, first)))


def halved(params: Any) -> Any:
    """Return the parameters in float16."""
    return jax.tree.map(lambda x: x.astype(jnp.float16), params)


def fresh_optimizer(state: TrainState) -> TrainState:
    """Forget the optimizer's state, as a checkpoint of the parameters alone does."""
    return state._replace(opt_state=jax.tree.map(jnp.zeros_like, state.opt_state))


def late_by(steps: int) -> Callable[[TrainState], TrainState]:
    """Return what starts the counters at a later step."""

    def start(state: TrainState) -> TrainState:
        def counted(path: Any, leaf: Array) -> Array:
            name = jax.tree_util.keystr(path, simple=True, separator=".").rpartition(".")[2]
            return leaf + steps if name in ("count", "step") else leaf

        opt_state = jax.tree.map_with_path(counted, state.opt_state)
        return state._replace(step=state.step + steps, opt_state=opt_state)

    return start
