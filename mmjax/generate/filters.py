"""Filters: temperature, top-k and top-p."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Real

ROUNDING = 3e-6  # relative error of a sum of probabilities


def filter_logits(
    logits: Float[Array, "batch vocab"],
    *,
    temperature: Real[Array, ""] | float = 1.0,
    top_k: int | None = None,
    top_p: Real[Array, ""] | float | None = None,
) -> Float[Array, "batch vocab"]:
    """Return the logits to draw from, -inf where a token is left out.

    First the logits are divided by `temperature`. Then `top_k` keeps the k likeliest tokens. Then
    the probabilities of these tokens are scaled to sum to 1 again, and `top_p` keeps the smallest
    set of likeliest tokens with at least that probability together; a set that reaches it exactly,
    up to rounding, is enough. Both also keep the tokens that tie with the last one kept: of four
    equal tokens, a `top_p` of 0.5 keeps all four. It computes in float32 or wider. `temperature`
    must be above 0, `top_k` at least 1, and `top_p` above 0 and at most 1; `sample.stream` checks
    that.

    Nucleus sampling: Holtzman et al., The Curious Case of Neural Text Degeneration, section 3.1
    (https://arxiv.org/abs/1904.09751).
    """
    logits = logits.astype(np.promote_types(logits.dtype, np.float32))
    logits = logits / jnp.asarray(temperature, logits.dtype)
    if top_k is not None:
        kth = jax.lax.top_k(logits, min(top_k, logits.shape[-1]))[0][:, -1:]
        logits = jnp.where(logits >= kth, logits, -jnp.inf)
    if top_p is not None:
        likeliest_first = jnp.sort(logits, axis=-1, descending=True)
        probs = jax.nn.softmax(likeliest_first)
        # Probability of each token and all less likely ones, summed from the least likely: a sum
        # from the other end rounds to 1 too early, and a `top_p` of 1 has to keep every token.
        rest = jnp.cumsum(probs[:, ::-1], axis=-1)[:, ::-1]
        needed = rest > jnp.asarray(1 - top_p, logits.dtype) * (1 + ROUNDING)
        least = jnp.min(likeliest_first, axis=-1, keepdims=True, where=needed, initial=jnp.inf)
        logits = jnp.where(logits >= jnp.minimum(least, likeliest_first[:, :1]), logits, -jnp.inf)
    return logits
