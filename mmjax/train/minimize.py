"""Minimise a function of a pytree, over the full batch.

All steps are one jitted scan.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import optax
from jaxtyping import Array, Float

from mmjax.static import Static
from mmjax.train.optimizers import Optimizer
from mmjax.train.step import update


def minimize(
    loss: Callable[..., Float[Array, ""]],
    optimizer: Optimizer,
    params: Any,
    *args: Any,
    steps: int,
) -> tuple[Any, Float[Array, "steps"]]:
    """Minimise `loss(params, *args)` in `steps` steps.

    Returns (new parameters, losses [steps]). Each loss is that before its step.
    """
    return _minimize(Static(loss), Static(optimizer), params, *args, steps=steps)


@partial(jax.jit, static_argnames=("loss", "optimizer", "steps"))
def _minimize(
    loss: Static[Callable[..., Array]],
    optimizer: Static[Optimizer],
    params: Any,
    *args: Any,
    steps: int,
) -> tuple[Any, Array]:
    def body(carry: tuple[Any, Any], _: None) -> tuple[tuple[Any, Any], Array]:
        params, opt_state = carry
        value_fn = partial(_of_params, loss.value, args)
        value, grads = jax.value_and_grad(value_fn)(params)
        updates, opt_state = update(optimizer.value, grads, opt_state, params, value, value_fn)
        return (optax.apply_updates(params, updates), opt_state), value

    carry = params, optimizer.value.init(params)
    (params, _), losses = jax.lax.scan(body, carry, length=steps)
    return params, losses


def _of_params(loss: Callable[..., Array], args: tuple[Any, ...], params: Any) -> Array:
    return loss(params, *args)
