"""Plots: arrays in, a matplotlib Figure out; nothing is shown or saved.

The colours are those of Okabe and Ito, and cividis in heat maps: readers with any colour vision can
tell them apart.
"""

from mmjax.plots.cockpit import cockpit
from mmjax.plots.network import embedding, embedding_film, histograms, saturation
from mmjax.plots.quiz import quiz_scores
from mmjax.plots.readings import Panel, readings
from mmjax.plots.search import option_effect, pareto_front
from mmjax.plots.style import COLOURS
from mmjax.plots.tables import (
    MOST_LABELS,
    bigram_table,
    most_frequent,
    pair_map,
    predicted_against_counted,
    probability_tables,
)
from mmjax.plots.timing import list_costs, process_costs, race, step_costs, step_times
from mmjax.plots.training import (
    loss_curve,
    losses_compared,
    rate_test,
    saturation_over_time,
    update_ratios,
)

__all__ = [
    "COLOURS",
    "MOST_LABELS",
    "Panel",
    "bigram_table",
    "cockpit",
    "embedding",
    "embedding_film",
    "histograms",
    "list_costs",
    "loss_curve",
    "losses_compared",
    "most_frequent",
    "option_effect",
    "pair_map",
    "pareto_front",
    "predicted_against_counted",
    "probability_tables",
    "process_costs",
    "quiz_scores",
    "race",
    "rate_test",
    "readings",
    "saturation",
    "saturation_over_time",
    "step_costs",
    "step_times",
    "update_ratios",
]
