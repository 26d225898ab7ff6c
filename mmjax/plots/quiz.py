"""Figure of quizzes: the share of right answers beside guessing."""

import numpy as np

from mmjax.plots.style import COLOURS, Plot, entitle, explain, literal, new_figure

BLANK = {"facecolor": "#ffffff", "edgecolor": "none", "pad": 0.5}  # hides the line of guessing


def quiz_scores(labels: list[str], shares: np.ndarray, intervals: np.ndarray) -> Plot:
    """Draw the share of right answers of each row with its 95 % interval.

    `shares` [rows] and `intervals` [rows, 2] are between 0 and 1. A dashed line marks guessing.
    """
    figure, axes = new_figure(1.6 + 0.45 * len(labels))
    places = np.arange(len(labels))
    axes.axvline(50, color=COLOURS[6], linewidth=1, linestyle="--", label="guessing")
    axes.hlines(places, *(100 * intervals.T), color=COLOURS[0], linewidth=2)
    axes.plot(100 * shares, places, "o", color=COLOURS[0], label="right answers, 95 % interval")
    for place, label in enumerate(labels):
        # In the picture and cut at its edge: a long label on the axis would leave no room for it.
        axes.text(1, place - 0.2, literal(label), clip_on=True, in_layout=False, bbox=BLANK)
    axes.set_yticks([])
    axes.set_ylim(len(labels) - 0.5, -0.7)
    axes.set_xlim(0, 100)
    axes.set_xlabel("right answers, percent")
    explain(figure, columns=2)
    entitle(figure, "Real or made up? Right answers beside guessing")
    return figure
