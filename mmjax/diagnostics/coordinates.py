"""The coordinate check: how far training moves each layer's outputs at several widths."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Array, Integer, PRNGKeyArray

from mmjax import train
from mmjax.data import Data
from mmjax.diagnostics.record import activation_layers, record
from mmjax.model import Model
from mmjax.train import Recipe


def moved(
    model: Model,
    recipe: Recipe,
    key: PRNGKeyArray,
    data: Data,
    contexts: Integer[Array, "batch block_size"],
) -> dict[str, float]:
    """Return the root mean square change of each activation layer's outputs, by its name.

    The change is that from the start to the end of a training run, which should be of a few steps,
    on fixed contexts. They pass through the network as one training batch.
    """
    start = train.init(model, recipe, key)
    end, _ = train.run(model, recipe, key, data)
    before, after = (
        record(model, state.params, state.stats, contexts, train=True, key=key)[1]
        for state in (start, end)
    )
    return {
        name: float(np.sqrt(np.mean(np.square(np.asarray(after[name]) - np.asarray(before[name])))))
        for _, name in activation_layers(model)
    }


def slopes(widths: Sequence[int], changes: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return how fast each layer's change grows with the width: d log(change) / d log(width).

    `changes` has what `moved` returns for each width. 0 is a change that does not depend on the
    width, so that one learning rate suits all widths; 1 is one that grows with it. Source: the
    coordinate check of Yang et al., Tensor Programs V (https://arxiv.org/abs/2203.03466).
    """
    logs = np.log(np.asarray(widths, float))
    return {
        name: float(np.polyfit(logs, np.log([change[name] for change in changes]), 1)[0])
        for name in changes[0]
    }
