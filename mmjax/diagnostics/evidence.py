"""Evidence: the figures of a run that the checks look at."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mmjax.diagnostics.lists import ListFigures
from mmjax.diagnostics.probe import Probe
from mmjax.diagnostics.running import Gap
from mmjax.diagnostics.tables import Activation, Gradient


class Evidence(NamedTuple):
    """The figures of a run; a check skips what is missing.

    Losses are in nats per character.
    """

    activations: Sequence[Activation] = ()
    gradients: Sequence[Gradient] = ()
    ranks: Mapping[str, float] | None = None
    """Effective rank of each activation layer's outputs, by its name."""
    first_gradients: Sequence[Gradient] = ()
    """The gradients before the first step."""
    first_ranks: Mapping[str, float] | None = None
    """The ranks before the first step."""
    update_ratios: Mapping[str, float] | None = None
    """log10 of update:data for each weight matrix, a mean over the steps of one chunk."""
    initial_loss: float | None = None
    """Loss of the first training batch."""
    final_loss: float | None = None
    """Mean loss of the last training batches; NaN after a non-finite number."""
    loss_train: float | None = None
    """Loss over the whole training part, as the next over the validation part."""
    loss_val: float | None = None
    counted_train: float | None = None
    """Loss of counted contexts on the training part, which shows what can be learned."""
    counted_val: float | None = None
    stops_early: bool = False
    """Whether the weights are those with the lowest validation loss."""
    model: Any = None
    recipe: Any = None
    """The `train.Recipe`."""
    steps: int | None = None
    """Number of steps that were trained."""
    counters: Mapping[str, int] | None = None
    """Number of steps that each counter of the state shows, by its name."""
    learning_rates: Sequence[tuple[int, float]] = ()
    """(step, learning rate) of each line of metrics."""
    gradient_norm: float | None = None
    """Norm of the gradient of one batch, before it is clipped."""
    non_finite: Sequence[str] = ()
    """Names of the arrays of the state that have a non-finite number."""
    dtypes: Sequence[str] = ()
    """Types of the parameters' numbers."""
    running: Sequence[Gap] = ()
    """BatchNorm's running statistics beside those of many examples."""
    probe: Probe | None = None
    """What the model predicts on validation examples that are read in several ways."""
    lists: ListFigures | None = None
    """Figures of the training and the validation names."""
    repeated_rows: float | None = None
    """Share of the rows of a batch that the batch before has at the same place."""
    readings: Sequence[Mapping[str, float]] = ()
    """The figures of `reading.Reading` in the last lines of metrics, each with `lr`; without
    `step_reach` if the state of the optimizer is not known."""
    unaveraged_loss_val: float | None = None
    """Validation loss of the last parameters, where the recipe averages them."""
