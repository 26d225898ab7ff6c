"""Search: many settings of network and recipe, compared by validation loss."""

from mmjax.search.analysis import Finding, findings
from mmjax.search.choices import Choice, Range
from mmjax.search.journal import Journal, Result, require_same
from mmjax.search.population import Population, Shape, shape_of
from mmjax.search.space import Search, Space, Trial, read, trials
from mmjax.search.study import Study

__all__ = [
    "Choice",
    "Finding",
    "Journal",
    "Population",
    "Range",
    "Result",
    "Search",
    "Shape",
    "Space",
    "Study",
    "Trial",
    "findings",
    "read",
    "require_same",
    "shape_of",
    "trials",
]
