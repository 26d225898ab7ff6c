"""Data: lists of names, vocabularies, and the datasets that training draws batches from."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Integer

from mmjax.data import context_table, encoded, encoding, noising, on_disk
from mmjax.data.context_table import AllContexts, ContextTable
from mmjax.data.dataset import Batch, Dataset, Targets
from mmjax.data.mapped import Mapped
from mmjax.data.noising import Noised, noised
from mmjax.data.on_disk import Tokens
from mmjax.data.sharded import Sharded, everywhere, on_each_device, sharded
from mmjax.data.windows import Windows, require_known
from mmjax.errors import require
from mmjax.model import Model

__all__ = [
    "DATASETS",
    "AllContexts",
    "Batch",
    "ContextTable",
    "Data",
    "Dataset",
    "Mapped",
    "Noised",
    "Sharded",
    "Targets",
    "Windows",
    "context_table",
    "encoded",
    "encoding",
    "everywhere",
    "noised",
    "noising",
    "of",
    "on_each_device",
    "sharded",
]

Data = Integer[Array, "tokens"] | Integer[np.ndarray, "tokens"] | Dataset


def _windows(tokens: Any, model: Model) -> Windows | Mapped:
    if on_disk.stays(tokens):
        return Mapped(Tokens.of(tokens), model.block_size)
    return Windows(tokens if isinstance(tokens, Tracer) else jnp.asarray(tokens), model.block_size)


def _contexts(tokens: Any, model: Model) -> ContextTable:
    require(
        not isinstance(tokens, Tracer),
        "the distinct contexts cannot be collected inside jit or vmap; collect them before, with "
        "data.of(recipe.data, tokens, model)",
    )
    tokens = np.asarray(tokens)
    if len(tokens):
        require_known(int(tokens.max()), model)
    return context_table.collect(tokens, model.vocab_size, model.block_size)


DATASETS: dict[str, Callable[[Any, Model], Dataset]] = {
    "windows": _windows,
    "contexts": _contexts,
    "all-contexts": lambda tokens, model: AllContexts(_contexts(tokens, model)),
}


def of(name: str, data: Data, model: Model, *, noise: float = 0.0) -> Dataset:
    """Return `data` as a dataset of the kind `name`, with noise in its contexts.

    windows: examples, drawn with replacement. contexts: distinct contexts with the distribution of
    the next token, drawn by frequency. all-contexts: all of these in every step. With `noise`, the
    oldest character of a context is replaced by a random letter with this probability, newer ones
    less often, and the newest never (see `noising`).

    `data` is a flat array of tokens; a dataset is returned unchanged, whatever the other arguments.
    Raises `InputError` if there is no example, the data does not fit the model, or noise is asked
    for all-contexts.
    """
    if not isinstance(data, Dataset):
        tokens, data = data, DATASETS[name](data, model)
        if noise:
            require(
                not isinstance(tokens, Tracer),
                "noise cannot be prepared inside jit or vmap; prepare the dataset before, with "
                "data.of(recipe.data, tokens, model, noise=recipe.noise)",
            )
            rates = noising.falling(noise, model.block_size)
            data = noising.noised(data, np.asanyarray(tokens), model, rates)
    require_fit = getattr(data, "require_fit", None)
    if require_fit:
        require_fit(model)
    return data
