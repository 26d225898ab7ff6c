"""Evaluation: losses, scores of names, the check against counting, recalibration."""

from mmjax.evaluate.calibration import calibrate
from mmjax.evaluate.counting import MAX_KL, CountCheck, count_check, expected_bigrams
from mmjax.evaluate.losses import loss, perplexity
from mmjax.evaluate.members import member_losses
from mmjax.evaluate.paired import Difference, name_losses, paired_difference
from mmjax.evaluate.pieces import chunk_size
from mmjax.evaluate.score import Letter, Score, nats_per_name, per_character, percentile, score

__all__ = [
    "MAX_KL",
    "CountCheck",
    "Difference",
    "Letter",
    "Score",
    "calibrate",
    "chunk_size",
    "count_check",
    "expected_bigrams",
    "loss",
    "member_losses",
    "name_losses",
    "nats_per_name",
    "paired_difference",
    "per_character",
    "percentile",
    "perplexity",
    "score",
]
