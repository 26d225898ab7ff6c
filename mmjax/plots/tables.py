"""Figures of tables of letter pairs."""

from collections.abc import Mapping, Sequence

import numpy as np

from mmjax.plots.style import COLOURS, ON_DARK, ON_LIGHT, Plot, literal, new_figure

MOST_LABELS = 40  # rows of a table that can still be read


def most_frequent(counts: np.ndarray, most: int = MOST_LABELS) -> np.ndarray:
    """The tokens that end the most pairs in a table of bigram counts [vocab, vocab], in their order."""
    return np.sort(np.argsort(-counts.sum(axis=0), kind="stable")[:most])


def bigram_table(counts: np.ndarray, labels: Sequence[str]) -> Plot:
    """The lecture's heat map: in each cell the pair and how often it occurs. counts [vocab, vocab]."""
    size = len(labels)
    # No layout engine, which would draw everything twice to find room for a title.
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
    """Tables of P(next | previous) [vocab, vocab] beside each other, on one scale: they should look alike."""
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
    """Each pair's probability by the model over that by counting, both [vocab, vocab].

    Named are the eight farthest off, by factor, among those counted at more than one in a hundred.
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
        # To the right and to the left in turns, so that neighbours stay apart.
        side, ha = ((6, -3), "left") if i % 2 else ((-6, -3), "right")
        place = {"xytext": side, "textcoords": "offset points", "ha": ha}
        axes.annotate(literal(pair), (x[cell], y[cell]), size=9, **place)
    # Powers of ten as formulas, and marks between them, take three times as long to draw as all the rest.
    axes.minorticks_off()
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.set_title("Letter pairs, model against counting: on the line is right")
    axes.set_xlabel(f"counted probability (never seen: at {floor:g})")
    axes.set_ylabel("mean predicted probability")
    return figure
