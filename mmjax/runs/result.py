"""The results of runs, as values.

Terminal output and report are made from these values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mmjax import counts, evaluate
from mmjax.data.corpus import BOUNDARY
from mmjax.data.vocab import Vocab
from mmjax.diagnostics import Finding
from mmjax.diagnostics.cockpit import Gauge
from mmjax.diagnostics.snapshot import Snapshot
from mmjax.model import Predictor
from mmjax.runs.lists import Lists


@dataclass(frozen=True)
class Result:
    """A trained model, how it was trained, and its samples."""

    settings: Mapping[str, Any]
    """The options, as in config.json."""
    figures: Mapping[str, Any]
    """The final figures, as in summary.json; a non-finite one is None."""
    records: Sequence[Mapping[str, Any]]
    """The lines of metrics.jsonl."""
    samples: Sequence[tuple[str, str]]
    """Sampled names, each with its mark: new or in the list."""
    predictor: Predictor
    vocab: Vocab


class Loss(NamedTuple):
    """A part of the list and its loss in nats per character."""

    part: str
    names: int
    examples: int
    loss: float | None
    perplexity: float | None
    counted: float
    """Loss on this part of the bigram counted on the training part, with 1 added to every count."""
    kneser_ney: float | None
    """Loss of counted contexts as long as the network's, or None if they are too many."""


@dataclass(frozen=True)
class RunResult(Result):
    """A trained MLP with its evaluation and diagnostics."""

    tokens: Mapping[str, np.ndarray]
    """Each part of the list as a flat array of tokens."""
    pairs: Mapping[str, counts.Pairs]
    """Counted pairs of each part."""
    seen: Snapshot
    findings: Sequence[Finding]
    gauges: Sequence[Gauge]
    """The instruments, the farthest from healthy first."""
    film: Mapping[int, np.ndarray]
    """The embedding [vocab, dim] at several steps."""

    def losses(self) -> list[Loss]:
        """Return the losses of each part of the list."""
        return [
            Loss(
                part.replace("_", ", "),
                int(np.count_nonzero(tokens == BOUNDARY)) - 1,
                len(tokens) - 1,
                loss := self.figures[f"loss_{part}"],
                None if loss is None else evaluate.perplexity(loss),
                counts.pair_nll(self.pairs[part], self.pairs["train"], smoothing=1),
                self.figures.get(f"kneser_ney_loss_{part}"),
            )
            for part, tokens in self.tokens.items()
        ]


@dataclass(frozen=True)
class BigramResult(Result):
    """A trained bigram with the counts of its list."""

    table: np.ndarray
    """Bigram counts of the list."""


class PartLoss(NamedTuple):
    """A part of the list, its loss and that of counting, in nats per character."""

    part: str
    names: int
    examples: int
    loss: float | None
    """None if the part has no names; the next two, too."""
    perplexity: float | None
    counted: float | None


@dataclass(frozen=True)
class AutoResult(Result):
    """A model that was chosen for a list, with what was tried."""

    tried: Sequence[Sequence[Any]]
    """The candidates for each list, the best first."""
    known: Sequence[Lists]

    def losses(self) -> list[PartLoss]:
        """Return the losses of each part of the first list."""
        return [
            PartLoss(
                part.replace("_", ", "),
                int(np.count_nonzero(tokens == BOUNDARY)) - 1,
                len(tokens) - 1,
                loss := self.figures[f"loss_{part}"],
                None if loss is None else evaluate.perplexity(loss),
                self.figures[f"kneser_ney_loss_{part}"],
            )
            for part, tokens in self.known[0].tokens.items()
        ]
