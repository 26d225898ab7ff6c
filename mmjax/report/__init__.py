"""The report: a run as one HTML page, with its pictures."""

from mmjax.report.auto import of_auto
from mmjax.report.bigram import of_bigram
from mmjax.report.mlp import of_mlp
from mmjax.report.page import inline, render, write
from mmjax.report.search import SearchReport, of_search
from mmjax.report.sections import Report, Section

__all__ = [
    "Report",
    "SearchReport",
    "Section",
    "inline",
    "of_auto",
    "of_bigram",
    "of_mlp",
    "of_search",
    "render",
    "write",
]
