"""Diagnostics: activations, gradients, update ratios and findings.

Everything is measured in the model's own forward pass through its `tap`, so these functions work on
any model that taps its layers. Layers are numbered as in the lecture. `health` turns the figures
into findings.
"""

from mmjax.diagnostics.health import (
    MAX_GAP,
    MAX_GRADIENT_SPREAD,
    MAX_RISE,
    MIN_LEARNED,
    UPDATE_RATIOS,
    Finding,
    health,
)
from mmjax.diagnostics.record import Inspection, inspect, outputs, record
from mmjax.diagnostics.tables import (
    Activation,
    Gradient,
    WeightGradient,
    activations,
    gradients,
    norms,
    saturated,
    update_ratios,
    weight_gradients,
    weights,
)

__all__ = [
    "MAX_GAP",
    "MAX_GRADIENT_SPREAD",
    "MAX_RISE",
    "MIN_LEARNED",
    "UPDATE_RATIOS",
    "Activation",
    "Finding",
    "Gradient",
    "Inspection",
    "WeightGradient",
    "activations",
    "gradients",
    "health",
    "inspect",
    "norms",
    "outputs",
    "record",
    "saturated",
    "update_ratios",
    "weight_gradients",
    "weights",
]
