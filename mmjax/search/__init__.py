"""Search: many settings of network and recipe, compared by validation loss."""

from mmjax.search.analysis import Finding, findings
from mmjax.search.choices import Choice, Range
from mmjax.search.population import Population, Shape, shape_of
from mmjax.search.space import Search, Space, Trial, read, trials
from mmjax.search.study import Study
from mmjax.search.trial_log import Result, TrialLog, require_same

__all__ = [
    "Choice",
    "Finding",
    "Population",
    "Range",
    "Result",
    "Search",
    "Shape",
    "Space",
    "Study",
    "Trial",
    "TrialLog",
    "findings",
    "read",
    "require_same",
    "shape_of",
    "trials",
]
