"""Counted language models: Kneser-Ney smoothing, and mixtures of models."""

from mmjax.counting.fitting import ensemble, geometric, linear
from mmjax.counting.kneser_ney import KneserNey, fit, of_tree
from mmjax.counting.smoothing import Discounts
from mmjax.counting.tree import Tree, grow
from mmjax.counting.tuning import tune, tune_tree
from mmjax.models.mixture import Mixture

__all__ = [
    "Discounts",
    "KneserNey",
    "Mixture",
    "Tree",
    "ensemble",
    "fit",
    "geometric",
    "grow",
    "linear",
    "of_tree",
    "tune",
    "tune_tree",
]
