"""Figures of tables of letter pairs."""

from collections.abc import Mapping, Sequence

import numpy as np

from mmjax.plots.style import COLOURS, ON_DARK, ON_LIGHT, Plot, literal, new_figure

MOST_LABELS = 40  # rows of the largest table that is still readable


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
    """Draw tables of P(next | previous) side by side.

    Each table is [vocab, vocab]. They share one colour scale, so that equal tables look alike.
    """
    figure = Plot(figsize=(6.5 * len(tables) + 1, 6.5), layout="constrained")
    panels = figure.subplots(1, len(tables), squeeze=False)[0]
    image = None
    names = [literal(label) for label in labels]
    for axes, (title, table) in zip(panels, tables.items(), strict=True):
        image = axes.imshow(np.sqrt(table), cmap="cividis", vmin=0, vmax=1)
        axes.set_xticks(range(len(names)), names, size=8)
        axes.set_yticks(range(len(names)), names, size=8)
        axes.set_title(title)
        axes.set_xlabel("next")
        axes.set_ylabel("previous")
    if image is not None:
        bar = figure.colorbar(image, ax=panels, shrink=0.8, label="probability")
        bar.set_ticks(
            np.sqrt([0, 0.01, 0.05, 0.1, 0.25, 0.5, 1]).tolist(),
            labels=["0", ".01", ".05", ".1", ".25", ".5", "1"],
        )
    figure.suptitle("Trained and counted tables: every cell should have the same colour in both")
    return figure


def predicted_against_counted(
    counted: np.ndarray, predicted: np.ndarray, labels: Sequence[str]
) -> Plot:
    """Draw each pair's predicted probability against its counted one.

    Both tables are [vocab, vocab]. The figure names the eight pairs that are furthest off by a
    factor, among those with a counted probability above 0.01.
    """
    figure, axes = new_figure(6.5, 6)
    floor = 1e-5
    x, y = np.maximum(counted, floor).ravel(), np.maximum(predicted, floor).ravel()
    axes.loglog(x, y, ".", color=COLOURS[0], alpha=0.5, markersize=5)
    axes.plot([floor, 1], [floor, 1], color="black", linewidth=1)
    off = np.where(x > 0.01, abs(np.log(y / x)), 0)
    farthest = np.argsort(-off)[:8]
    for i, cell in enumerate(farthest[np.argsort(y[farthest])]):
        pair = str(labels[cell // len(labels)]) + str(labels[cell % len(labels)])
        # Alternate between right and left to keep neighbours apart.
        side, ha = ((6, -3), "left") if i % 2 else ((-6, -3), "right")
        place = {"xytext": side, "textcoords": "offset points", "ha": ha}
        axes.annotate(literal(pair), (x[cell], y[cell]), size=9, **place)
    # Powers of ten as formulas and minor ticks take three times as long to draw as all the rest.
    axes.minorticks_off()
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.set_title("Letter pairs, model against counting: on the line is right")
    axes.set_xlabel(f"counted probability (never seen: at {floor:g})")
    axes.set_ylabel("mean predicted probability")
    return figure
