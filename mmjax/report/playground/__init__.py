"""`playground.html`: a page in which the trained model runs, without a network connection."""

from mmjax.report.playground.page import LIMIT, Unfit, write

__all__ = ["LIMIT", "Unfit", "write"]
