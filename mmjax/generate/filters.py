"""Filters: temperature, top-k, top-p, min-p and typical sampling."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Real

from mmjax.errors import require

ROUNDING = 3e-6  # relative error of a sum of probabilities
GREEDY = 1e-6  # a temperature below this takes the likeliest letter


def filter_logits(
    logits: Float[Array, "batch vocab"],
    *,
    temperature: Real[Array, ""] | float = 1.0,
    top_k: int | None = None,
    top_p: Real[Array, ""] | float | None = None,
    min_p: Real[Array, ""] | float | None = None,
    typical: Real[Array, ""] | float | None = None,
) -> Float[Array, "batch vocab"]:
    """Return the logits to draw from, -inf where a token is left out.

    They apply in this order, each to the tokens that the one before left, with probabilities that
    sum to 1 again:

    1. The logits are divided by `temperature`.
    2. `top_k` keeps the k likeliest tokens.
    3. `top_p` keeps the smallest set of likeliest tokens with at least that probability together; a
       set that reaches it exactly, up to rounding, is enough.
    4. `min_p` keeps the tokens with at least `min_p` times the probability of the likeliest.
    5. `typical` keeps the smallest set of tokens with at least that probability together whose
       information, -log p, is nearest to its mean, the entropy.

    All keep the tokens that tie with the last one kept: of four equal tokens, a `top_p` of 0.5
    keeps all four. It computes in float32 or wider. `temperature` must be above 0, `top_k` at least
    1, `top_p` and `typical` above 0 and at most 1, and `min_p` from 0 to 1; `sample.stream` checks
    that.

    Sources: Holtzman et al., The Curious Case of Neural Text Degeneration, section 3.1
    (https://arxiv.org/abs/1904.09751); Nguyen et al., Turning Up the Heat: Min-p Sampling
    (https://arxiv.org/abs/2407.01082); Meister et al., Locally Typical Sampling
    (https://arxiv.org/abs/2202.00666).
    """
    logits = logits.astype(np.promote_types(logits.dtype, np.float32))
    logits = logits / jnp.asarray(temperature, logits.dtype)
    if top_k is not None:
        kth = jax.lax.top_k(logits, min(top_k, logits.shape[-1]))[0][:, -1:]
        logits = jnp.where(logits >= kth, logits, -jnp.inf)
    if top_p is not None:
        likeliest_first = jnp.sort(logits, axis=-1, descending=True)
        probs = jax.nn.softmax(likeliest_first)
        needed = _needed(probs, top_p)
        least = jnp.min(likeliest_first, axis=-1, keepdims=True, where=needed, initial=jnp.inf)
        logits = jnp.where(logits >= jnp.minimum(least, likeliest_first[:, :1]), logits, -jnp.inf)
    if min_p is not None:
        least = jnp.max(logits, axis=-1, keepdims=True) + jnp.log(jnp.asarray(min_p, logits.dtype))
        logits = jnp.where(logits >= least - ROUNDING, logits, -jnp.inf)
    if typical is not None:
        log_probs = jax.nn.log_softmax(logits)
        probs = jnp.exp(log_probs)
        entropy = -jnp.sum(probs * log_probs, axis=-1, keepdims=True, where=probs > 0)
        distance = jnp.abs(log_probs + entropy)
        order = jnp.argsort(distance, axis=-1)
        needed = _needed(jnp.take_along_axis(probs, order, axis=-1), typical)
        nearest = jnp.take_along_axis(distance, order, axis=-1)
        most = jnp.max(nearest, axis=-1, keepdims=True, where=needed, initial=-jnp.inf)
        logits = jnp.where(distance <= jnp.maximum(most, nearest[:, :1]), logits, -jnp.inf)
    return logits


def options_of(
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    typical: float | None = None,
) -> dict[str, Any]:
    """Return the options of `filter_logits`, with a temperature of 0 as a `top_k` of 1.

    Raises `InputError` if a number is out of range.
    """
    require(
        0 <= temperature <= 1e6,  # False for a NaN
        f"temperature must be a number from 0 to 1,000,000, not {temperature}",
    )
    require(top_k is None or top_k >= 1, f"top_k must be at least 1, not {top_k}")
    for name, mass in (("top_p", top_p), ("typical", typical)):
        require(mass is None or 0 < mass <= 1, f"{name} must be above 0 and at most 1, not {mass}")
    require(min_p is None or 0 <= min_p <= 1, f"min_p must be from 0 to 1, not {min_p}")
    if temperature < GREEDY:
        temperature, top_k = 1.0, 1
    filters = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    return filters | {"min_p": min_p, "typical": typical}


def _needed(
    probs: Float[Array, "batch vocab"], mass: Real[Array, ""] | float
) -> Bool[Array, "batch vocab"]:
    """Return which tokens, in their order, it takes to reach the probability `mass`."""
    # Probability of each token and all after it, summed from the last: a sum from the other end
    # rounds to 1 too early, and a mass of 1 has to keep every token.
    rest = jnp.cumsum(probs[:, ::-1], axis=-1)[:, ::-1]
    return rest > jnp.asarray(1 - mass, probs.dtype) * (1 + ROUNDING)
