"""What every run came to, as values; terminal and report are drawn from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmjax import Predictor, Vocab


@dataclass(frozen=True)
class Result:
    """A trained model, how it was trained, and its samples."""

    settings: Mapping[str, Any]
    """The options, as in config.json."""
    figures: Mapping[str, Any]
    """The final figures, as in summary.json: what is not finite is None."""
    records: Sequence[Mapping[str, Any]]
    """The lines of metrics.jsonl."""
    samples: Sequence[tuple[str, str]]
    """Sampled names, each with its mark: new or in the list."""
    predictor: Predictor
    vocab: Vocab
