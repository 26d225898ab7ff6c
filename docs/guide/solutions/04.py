"""Exercise 4: the bigram network and its gradient."""

import jax
import jax.numpy as jnp


def loss_and_grad(weights: jax.Array, contexts: jax.Array, targets: jax.Array) -> tuple:
    """Return the loss of the bigram network and its gradient."""

    def loss(weights: jax.Array) -> jax.Array:
        log_probs = jax.nn.log_softmax(weights[contexts], axis=1)  # [m, n]
        return -jnp.mean(log_probs[jnp.arange(len(targets)), targets])

    return jax.value_and_grad(loss)(weights)
