"""Diagnostics: activations, gradients, update ratios and findings.

Everything is measured in the model's own forward pass through its `tap`, so these functions work on
any model that taps its layers. Layers are numbered as in the lecture. `health` turns the figures
into findings.
"""

from mmjax.diagnostics.checks.layers import MAX_GRADIENT_SPREAD
from mmjax.diagnostics.checks.training import MAX_GAP, MAX_RISE, MIN_LEARNED, UPDATE_RATIOS
from mmjax.diagnostics.evidence import Evidence
from mmjax.diagnostics.finding import Finding
from mmjax.diagnostics.health import health
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
    update_sizes,
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
    "Evidence",
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
    "update_sizes",
    "weight_gradients",
    "weights",
]
