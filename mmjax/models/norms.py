"""Normalisations by name: the functions that make one and apply it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from mmjax.models import layers


class Norm(NamedTuple):
    """A normalisation with the signatures of `layers.batch_norm_init` and `layers.batch_norm`."""

    init: Callable[..., tuple[Any, Any]]
    apply: Callable[..., tuple[Any, Any]]


NORMS = {
    "batch": Norm(layers.batch_norm_init, layers.batch_norm),
}
