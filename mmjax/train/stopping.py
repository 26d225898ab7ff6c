"""Early stopping: the best weights so far, and when to stop."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mmjax.train import members
from mmjax.train.loop import Chunk, Fitted, Record
from mmjax.train.step import TrainState


class Best:
    """The state of each member that had the lowest validation loss.

    Give `sink` and `stop` to `train.fit`, after a metric with `loss_val`, then call `restored`:

        best = train.Best(patience=5)
        fitted = train.fit(..., metrics=[...], sinks=[best.sink], stops=[best.stop])
        fitted = best.restored(fitted)

    A member that has waited for `patience` measurements keeps its state, while others go on. So
    each member ends as it would alone. With a `patience` of None, nothing stops.
    """

    def __init__(self, patience: int | None = None) -> None:
        self.patience = patience
        self.losses: list[float] = []
        """Lowest validation loss of each member, in nats per character."""
        self.waited: list[int] = []
        """Measurements of each member since its lowest one."""
        self.states: list[TrainState] = []
        self.improved = False
        """Whether the last chunk had a new lowest loss of a member."""

    def sink(self, records: Sequence[Record], chunk: Chunk) -> None:
        """Keep the states whose validation loss is the lowest so far."""
        self.improved = False
        if "loss_val" not in records[0]:
            return
        if not self.states:
            self.losses, self.waited = [math.inf] * len(records), [0] * len(records)
            self.states = list(chunk.states)
        for i, record in enumerate(records):
            if self._ended(i):
                continue
            if record["loss_val"] < self.losses[i]:
                self.losses[i], self.waited[i] = record["loss_val"], 0
                self.states[i] = chunk.states[i]
                self.improved = True
            else:
                self.waited[i] += 1

    def stop(self, records: Sequence[Record] = ()) -> str | None:
        """Return a reason to stop once every member has waited long enough, else None."""
        del records
        if not self.states or not all(map(self._ended, range(len(self.states)))):
            return None
        return f"no lower validation loss in {self.patience} measurements"

    def restored(self, fitted: Fitted) -> Fitted:
        """Return what training came to, with each member's best state.

        Without a measurement, or where a loss was not finite, it is unchanged.
        """
        if not self.states or any(step is not None for step in fitted.stopped_at):
            return fitted
        return fitted._replace(state=self.state)

    @property
    def state(self) -> TrainState:
        """The best state of a single network, or of all members with a leading axis."""
        if len(self.states) == 1:
            return self.states[0]
        return members.stack(self.states)

    def notes(self) -> dict[str, Any]:
        """Return what `resume` needs besides the state, as values for JSON."""
        return {"losses": self.losses, "waited": self.waited}

    def resume(self, notes: Mapping[str, Any], state: TrainState) -> None:
        """Continue from what `notes` returned, and the `state` at that time."""
        self.losses, self.waited = list(notes["losses"]), list(notes["waited"])
        self.states = members.states(state) if self.losses else []

    def _ended(self, member: int) -> bool:
        return self.patience is not None and self.waited[member] >= self.patience
