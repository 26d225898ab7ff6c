"""Trained weights carried over to another vocabulary."""

from collections.abc import Sequence
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from mmjax.errors import require
from mmjax.model import Predictor
from mmjax.models.mlp import MLP


def transferred(trained: Predictor, fresh: Predictor, tokens: Sequence[int]) -> Predictor:
    """Return `fresh` with the weights and running statistics of `trained`.

    `tokens[i]` is the token of `trained` that stands for token i of `fresh`, or -1 if there is
    none. What belongs to such a token (its embedding, its column of the output layer, its
    BatchNorm) stays as in `fresh`; everything else comes from `trained`.

    Raises `InputError` unless both are MLPs whose weights differ in nothing but the vocabulary, and
    `tokens` has one number for each token of `fresh`.
    """
    model, new = trained.model, fresh.model
    require(
        isinstance(model, MLP)
        and isinstance(new, MLP)
        and _shapes(new, model.vocab_size) == _shapes(model, model.vocab_size),
        f"the weights of {model} do not fit {new}; give networks of the same sizes",
    )
    assert isinstance(new, MLP)
    from_trained = np.asarray(tokens)
    require(
        from_trained.shape == (new.vocab_size,)
        and bool(((from_trained >= -1) & (from_trained < model.vocab_size)).all()),
        f"tokens must be {new.vocab_size} numbers from -1 to {model.vocab_size - 1}, not {tokens!r}",
    )

    def one(old: Array, start: Array, axis: int | None) -> Array:
        old = old.astype(start.dtype)
        if axis is None:
            return old
        known = jnp.expand_dims(from_trained >= 0, [i for i in range(old.ndim) if i != axis])
        return jnp.where(known, jnp.take(old, from_trained, axis=axis, mode="clip"), start)

    leaves = zip(jax.tree.leaves(trained), jax.tree.leaves(fresh), _vocab_axes(new), strict=True)
    carried = [one(*leaf) for leaf in leaves]
    return jax.tree.unflatten(jax.tree.structure(fresh), carried)


def _vocab_axes(model: MLP) -> list[int | None]:
    """Return the axis of each weight that has one entry for each token, or None."""
    sizes = zip(_shapes(model, model.vocab_size), _shapes(model, model.vocab_size + 1), strict=True)
    return [
        next((axis for axis, (n, more) in enumerate(zip(a, b, strict=True)) if n != more), None)
        for a, b in sizes
    ]


def _shapes(model: MLP, vocab_size: int) -> list[tuple[int, ...]]:
    sized = replace(model, vocab_size=vocab_size)
    return [leaf.shape for leaf in jax.tree.leaves(jax.eval_shape(sized.init, jax.random.key(0)))]
