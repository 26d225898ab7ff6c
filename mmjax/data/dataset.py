"""Datasets, from which training draws its batches."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Array, Float, Integer, PRNGKeyArray

TOGETHER = 1_000  # steps whose batches are drawn at once, at most
DRAWN = 2**24  # tokens that are drawn at once, at most
# Tokens, or distributions over tokens.
Targets = Integer[Array, "batch"] | Float[Array, "batch vocab"]


class Batch(NamedTuple):
    """The examples of one step."""

    contexts: Integer[Array, "batch block_size"]
    targets: Targets
    weights: Float[Array, "batch"] | None = None
    """Weights of the examples' losses, which sum to 1; None weighs all examples equally."""


@runtime_checkable
class Dataset(Protocol):
    """A pytree that draws batches in two calls.

    `draw` returns small arrays, because the scan calls it for many steps at once. `batch` turns
    them into the examples of one step. A dataset may also have `require_fit(model)`, which raises
    `InputError` if it does not fit; `data.of` calls it. One that reads from a disk may have
    `draw_ahead`, see the function of that name.
    """

    def draw(self, key: PRNGKeyArray, batch_size: int, /) -> Any:
        """Return what `batch` needs for one step's `batch_size` examples."""
        ...

    def batch(self, drawn: Any, /) -> Batch:
        """Return the examples that were drawn."""
        ...


def together(batch_size: int, block_size: int) -> int:
    """Return for how many steps the batches are drawn in one call, at most.

    The number is even, since two steps are compiled as one.
    """
    return 2 * max(1, min(TOGETHER, DRAWN // (batch_size * (block_size + 1))) // 2)


def draw_ahead(data: Dataset, key: PRNGKeyArray, later: PRNGKeyArray, batch_size: int) -> Any:
    """Return `data.draw(key, batch_size)`, and let it prepare a later draw.

    `later` is the key of the step that has the same place in the next call. A dataset with the
    method `draw_ahead(key, later, batch_size)` can read what that step needs in the meantime.
    """
    method = getattr(data, "draw_ahead", None)
    return method(key, later, batch_size) if method else data.draw(key, batch_size)
