"""Draws from categorical distributions by one uniform number each."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

IN_BLOCKS = 1_000  # vocabulary size from which tokens are drawn in blocks
BLOCK = 64


def categorical(key: PRNGKeyArray, logits: Float[Array, "batch vocab"]) -> Int[Array, "batch"]:
    """Draw one token for each row of logits.

    It inverts the row's cumulative distribution at one uniform number. `jax.random.categorical`
    adds noise to every logit, which takes a random number and two logarithms per logit; this takes
    one random number per row. A token with a probability below about 1e-7 may never be drawn, since
    float32 resolves no less.
    """
    probs = jax.nn.softmax(logits)
    uniform = jax.random.uniform(key, (len(logits), 1), probs.dtype)
    if logits.shape[-1] < IN_BLOCKS:
        cumulative = _cumulative(probs)
        return _first_above(cumulative, uniform * jnp.max(cumulative, axis=-1, keepdims=True))
    # Draw a block of tokens, then a token in it: cumulative sums over long rows are slow.
    padded = jnp.pad(probs, ((0, 0), (0, -probs.shape[-1] % BLOCK)))
    blocks = padded.reshape(len(probs), -1, BLOCK)
    sums = jnp.sum(blocks, axis=-1)
    cumulative = _cumulative(sums)
    at = uniform * jnp.max(cumulative, axis=-1, keepdims=True)
    block = _first_above(cumulative, at)[:, None]
    before = jnp.take_along_axis(cumulative - sums, block, axis=1)
    within = _cumulative(jnp.take_along_axis(blocks, block[:, :, None], axis=1)[:, 0])
    # Rounding must not select a token after the block's last possible one.
    most = jnp.max(within, axis=-1, keepdims=True) * jnp.asarray(1 - 1e-6, probs.dtype)
    return block[:, 0] * BLOCK + _first_above(within, jnp.minimum(at - before, most))


def _cumulative(probs: Float[Array, "batch tokens"]) -> Float[Array, "batch tokens"]:
    # A product with a triangle of ones is faster than a scan along short rows.
    cumulative = probs @ jnp.triu(jnp.ones((probs.shape[-1],) * 2, probs.dtype))
    # Rounding must not admit a token of probability 0.
    return jnp.where(probs > 0, cumulative, jnp.zeros_like(cumulative))


def _first_above(
    cumulative: Float[Array, "batch tokens"], at: Float[Array, "batch 1"]
) -> Int[Array, "batch"]:
    tokens = jnp.arange(cumulative.shape[-1], dtype=jnp.int32)[None, :]
    return jnp.min(tokens, axis=-1, where=cumulative > at, initial=cumulative.shape[-1] - 1)
