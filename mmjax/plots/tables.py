"""Figures of tables of letter pairs."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from mmjax.plots.style import COLOURS, ON_DARK, ON_LIGHT, WIDTH, Plot, entitle, literal, new_figure

MOST_LABELS = 40  # rows of the largest table that is still readable
LABEL = (0.5, 0.22)  # powers of ten that the label of a pair takes
MOST_LABELS_IN_A_ROW = 28  # of 10 points within WIDTH


def most_frequent(counts: np.ndarray, most: int = MOST_LABELS) -> np.ndarray:
    """Return the tokens that end the most pairs.

    `counts` is a table of bigram counts [vocab, vocab], or its column sums [1, vocab]. Returns at
    most `most` tokens, in ascending order.
    """
    return np.sort(np.argsort(-counts.sum(axis=0), kind="stable")[:most])


def bigram_table(counts: np.ndarray, labels: Sequence[str]) -> Plot:
    """Draw the lecture's heat map of letter pairs.

    `counts` is [vocab, vocab]. Each cell shows a pair and how often it occurs.
    """
    size = len(labels)
    # No layout engine: it would draw everything twice to find room for the title.
    figure = Plot(figsize=(0.5 * size, 0.5 * size + 0.5))
    axes = figure.add_axes((0, 0, 1, size / (size + 1)))
    axes.imshow(np.log1p(counts), cmap="cividis")
    dark = np.log1p(counts) < 0.5 * np.log1p(counts.max())
    for a, first in enumerate(labels):
        for b, second in enumerate(labels):
            colour = ON_DARK if dark[a, b] else ON_LIGHT
            text = f"{literal(first + second)}\n{counts[a, b]:.0f}"
            axes.text(b, a, text, ha="center", va="center", size=7.5, color=colour)
    axes.axis("off")
    axes.set_title(
        "How often each character (row) is followed by each (column); colour is logarithmic"
    )
    return figure


def probability_tables(tables: Mapping[str, np.ndarray], labels: Sequence[str]) -> Plot:
    """Draw tables of P(next | previous), one under the other.

    Each table is [vocab, vocab]. They share one colour scale, so that equal tables look alike.
    """
    figure = Plot(figsize=(WIDTH, 0.9 + 4.4 * len(tables)), layout="constrained")
    panels = figure.subplots(len(tables), 1, squeeze=False)[:, 0]
    image = None
    for axes, (title, table) in zip(panels, tables.items(), strict=True):
        image = axes.imshow(np.sqrt(table), cmap="cividis", vmin=0, vmax=1)
        _label(axes, labels)
        axes.set_title(title, size=10)
    if image is not None:
        bar = figure.colorbar(image, ax=panels, location="bottom", aspect=40, label="probability")
        bar.set_ticks(
            np.sqrt([0, 0.01, 0.05, 0.1, 0.25, 0.5, 1]).tolist(),
            labels=["0", ".01", ".05", ".1", ".25", ".5", "1"],
        )
    entitle(figure, "Trained and counted tables: every cell should have the same colour in both")
    return figure


def pair_map(counts: np.ndarray, labels: Sequence[str]) -> Plot:
    """Draw a heat map of letter pairs that is legible on a telephone.

    `counts` is [vocab, vocab]. `bigram_table` has the number in every cell, too.
    """
    figure, axes = new_figure(5.2)
    image = axes.imshow(np.log1p(counts), cmap="cividis")
    _label(axes, labels)
    bar = figure.colorbar(image, ax=axes, location="bottom", aspect=40, label="times in the list")
    ticks = [count for count in (0, 10, 100, 1_000, 10_000, 100_000) if count <= counts.max()]
    bar.set_ticks(np.log1p(ticks).tolist(), labels=[f"{count:,}" for count in ticks])
    entitle(figure, "How often each character (row) is followed by each (column)")
    return figure


def _label(axes: Axes, labels: Sequence[str]) -> None:
    """Label rows and columns; of many, every second one or fewer."""
    every = -(-len(labels) // MOST_LABELS_IN_A_ROW)
    shown = range(0, len(labels), every)
    names = [literal(labels[i]) for i in shown]
    axes.set_xticks(shown, names)
    axes.set_yticks(shown, names)
    axes.tick_params(length=0, pad=2)
    axes.set_xlabel("next")
    axes.set_ylabel("previous")


def predicted_against_counted(
    counted: np.ndarray, predicted: np.ndarray, labels: Sequence[str]
) -> Plot:
    """Draw each pair's predicted probability against its counted one.

    Both tables are [vocab, vocab]. The figure names eight pairs that are furthest off by a
    factor, among those with a counted probability above 0.01, as far as their labels have room.
    """
    figure, axes = new_figure(4.5)
    floor = 1e-5
    x, y = np.maximum(counted, floor).ravel(), np.maximum(predicted, floor).ravel()
    axes.loglog(x, y, ".", color=COLOURS[0], alpha=0.5, markersize=5)
    axes.plot([floor, 1], [floor, 1], color="black", linewidth=1)
    off = np.where(x > 0.01, abs(np.log(y / x)), 0)
    places = np.log10(np.stack([x, y], axis=1))
    for cell in _apart(np.argsort(-off), places, most=8):
        pair = str(labels[cell // len(labels)]) + str(labels[cell % len(labels)])
        side, ha = ((-6, -3), "right") if x[cell] > 0.3 else ((6, -3), "left")
        place = {"xytext": side, "textcoords": "offset points", "ha": ha}
        axes.annotate(literal(pair), (x[cell], y[cell]), size=10, **place)
    # Powers of ten as formulas and minor ticks take three times as long to draw as all the rest.
    axes.minorticks_off()
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    entitle(figure, "Letter pairs, model against counting: on the line is right")
    axes.set_xlabel(f"counted probability (never seen: at {floor:g})")
    axes.set_ylabel("mean predicted probability")
    return figure


def _apart(cells: np.ndarray, places: np.ndarray, most: int) -> list[int]:
    """Return the first of `cells` whose labels do not cover each other; `places` are [cells, 2]."""
    chosen: list[int] = []
    for cell in cells.tolist():
        away = abs(places[chosen] - places[cell]) > LABEL
        if away.any(axis=1).all():
            chosen.append(cell)
        if len(chosen) == most:
            break
    return chosen
