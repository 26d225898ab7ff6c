"""Figure of quizzes: the share of right answers beside guessing."""

import numpy as np

from mmjax.plots.style import COLOURS, Plot, literal, new_figure


def quiz_scores(labels: list[str], shares: np.ndarray, intervals: np.ndarray) -> Plot:
    """Draw the share of right answers of each row with its 95 % interval.

    `shares` [rows] and `intervals` [rows, 2] are between 0 and 1. A dashed line marks guessing.
    """
    figure, axes = new_figure(8, 1.2 + 0.4 * len(labels))
    places = np.arange(len(labels))
    axes.axvline(50, color=COLOURS[6], linewidth=1, linestyle="--", label="guessing")
    axes.hlines(places, *(100 * intervals.T), color=COLOURS[0], linewidth=2)
    axes.plot(100 * shares, places, "o", color=COLOURS[0], label="right answers, 95 % interval")
    axes.set_yticks(places, [literal(label) for label in labels], size=9)
    axes.invert_yaxis()
    axes.margins(y=0.15)
    axes.set_xlim(0, 100)
    axes.set_xlabel("right answers, percent")
    axes.legend(fontsize=8, loc="upper left")
    axes.set_title("Real or made up? Right answers, and what guessing gives")
    return figure
