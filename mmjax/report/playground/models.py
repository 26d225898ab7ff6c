"""Models as JSON objects, which `models.js` turns into models again."""

from typing import Any

import numpy as np

from mmjax.counting.kneser_ney import KneserNey
from mmjax.model import Predictor, named, parameter_count
from mmjax.models.bigram import Bigram
from mmjax.models.lookup import Table
from mmjax.models.mixture import Mixture, components
from mmjax.models.mlp import MLP
from mmjax.report.playground.stored import size, stored

LIMIT = 1_000_000  # bytes of a page
MLP_FIELDS = ("activation", "norm", "residual", "tied", "position", "embedded", "eps")
# A token whose probability is this near to its share of the shorter context's gets no entry.
NEAR = 1e-5


class Unfit(Exception):  # noqa: N818 - no error: the run goes on without the page
    """A model that no page can hold; the message is one line that says why."""


def described(predictor: Predictor, *, rounded: bool) -> dict[str, Any]:
    """Return a model with its parameters as a JSON object.

    Raises `Unfit` if the page has no code for the model, or it is larger than a page.
    """
    model, params = predictor.model, predictor.params
    sizes = {"vocabSize": model.vocab_size, "blockSize": model.block_size}
    if isinstance(model, Mixture):
        parts = [described(part, rounded=rounded) for part in components(predictor)]
        mixture = {"mix": model.kind, "weights": stored(params.weights), "components": parts}
        return {"kind": "mixture", **sizes, **mixture}
    if isinstance(model, KneserNey):
        _require_size(3 * sum(model.nodes), rounded)
        return {"kind": "counted", **sizes, "levels": _levels(predictor, rounded)}
    _require_size(parameter_count(params), rounded)
    if isinstance(model, MLP):
        arrays = named({"params": params, "stats": predictor.stats})
        return {
            "kind": "mlp",
            **sizes,
            **{field: getattr(model, field) for field in MLP_FIELDS},
            "arrays": {name: stored(x, rounded=rounded) for name, x in arrays.items()},
        }
    if isinstance(model, Bigram | Table):
        logits = params.weight if isinstance(model, Bigram) else params.logits
        return {"kind": "table", **sizes, "logits": stored(logits, rounded=rounded)}
    raise Unfit(f"the page has no code for the model {type(model).__name__}")


def embedding(predictor: Predictor) -> dict[str, Any]:
    """Return an MLP's embedding in its first two principal components.

    The `points` [vocab, 2] are scaled to at most 1. The `shares` are those of the variance.
    """
    vectors = np.asarray(predictor.params.embedding, np.float64)
    # A column of zeros: an embedding of one number has a second component, too.
    centred = np.pad(vectors - vectors.mean(axis=0), ((0, 0), (0, 1)))
    left, lengths, _ = np.linalg.svd(centred, full_matrices=False)
    points = left[:, :2] * lengths[:2]
    shares = np.square(lengths) / (np.square(lengths).sum() or 1.0)
    scaled = points / (abs(points).max() or 1.0)
    return {"points": scaled.round(4).tolist(), "shares": shares[:2].round(4).tolist()}


def _require_size(numbers: int, rounded: bool) -> None:
    needed = size(numbers, rounded=rounded)
    if needed > LIMIT:
        raise Unfit(f"the model takes {needed:,} bytes or more, and a page at most {LIMIT:,}")


def _levels(predictor: Predictor, rounded: bool) -> list[dict[str, Any]]:
    """Return the tree of contexts of a counted model, level by level.

    After most contexts, most tokens never occurred. Their probabilities are those after the
    context without its first token, times one factor for the context: `shares`, as a logarithm. So
    only the other tokens have entries.
    """
    model, params = predictor.model, predictor.params
    assert isinstance(model, KneserNey)
    rows = np.split(np.asarray(params.log_probs, np.float64), np.cumsum(model.nodes)[:-1])
    lower, levels = np.full((1, model.vocab_size), -np.log(model.vocab_size)), []
    for level, row in enumerate(rows):
        codes = np.asarray(params.codes[level - 1]) if level else np.zeros(1, np.int64)
        parents, tokens = np.divmod(codes, model.vocab_size)
        above = lower[parents]
        possible = np.isfinite(above)
        ratios = np.where(possible, row - np.where(possible, above, 0), np.inf)
        shares = ratios.min(axis=1)
        spread = np.where(possible, shares[:, None] + above, -np.inf)
        own = row > spread + NEAR
        levels.append(
            {
                "tokens": stored(tokens),
                "children": stored(np.bincount(parents, minlength=len(lower))),
                "shares": stored(shares, rounded=rounded),
                "entries": stored(own.sum(axis=1)),
                "next": stored(np.nonzero(own)[1]),
                "logProbs": stored(row[own], rounded=rounded),
            }
        )
        lower = row
    return levels
