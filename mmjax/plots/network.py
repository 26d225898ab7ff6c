"""Figures of a network's layers and embedding."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import ArrayLike
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from mmjax.plots.style import ON_LIGHT, WIDTH, Plot, entitle, explain, line, literal, new_figure


def histograms(values: Mapping[str, np.ndarray], *, title: str, xlabel: str) -> Plot:
    """Draw the distribution of each array as a line.

    The legend gives each mean and standard deviation.
    """
    figure, axes = new_figure(2.8 + 0.18 * len(values))
    everything = np.concatenate([np.ravel(array) for array in values.values()])
    low, high = np.quantile(everything, [0.001, 0.999]).tolist()
    edges = np.linspace(low, high if high > low else low + 1, 81)
    for i, (name, array) in enumerate(values.items()):
        density, _ = np.histogram(array, edges, density=True)
        label = f"{name}: mean {np.mean(array):+.1g}, std {np.std(array):.2g}"
        axes.plot((edges[1:] + edges[:-1]) / 2, density, label=label, **line(i))
    entitle(figure, title)
    axes.set_xlabel(xlabel)
    axes.set_ylabel("density")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    explain(figure)
    return figure


def saturation(saturated_of: Mapping[str, np.ndarray]) -> Plot:
    """Draw which outputs of each layer are saturated.

    One image per layer, from its bools [examples, units]: white where an output is saturated.
    """
    figure = Plot(figsize=(WIDTH, 1.1 + 1.2 * len(saturated_of)), layout="constrained")
    panels = figure.subplots(len(saturated_of), 1, squeeze=False)[:, 0]
    for axes, (name, saturated) in zip(panels, saturated_of.items(), strict=True):
        axes.imshow(saturated, cmap="gray", vmin=0, vmax=1, aspect="auto", interpolation="none")
        axes.set_title(f"{name}: {saturated.mean():.1%} saturated", size=10)
        axes.set_ylabel("example")
    panels[-1].set_xlabel("unit")
    entitle(
        figure,
        "Saturated outputs, white: a few are fine; a white column is a unit that hardly learns",
    )
    return figure


def embedding(
    vectors: np.ndarray, labels: Sequence[str], named: Sequence[int] | np.ndarray | None = None
) -> Plot:
    """Draw the characters' vectors on their first two principal components.

    `vectors` is [vocab, dim]. The tokens in `named`, by default all, get their label; the others
    are dots.
    """
    figure, axes = new_figure(4.4)
    directions, share = _plane(vectors)
    _scatter(axes, _centred(vectors) @ directions, labels, named, size=180)
    entitle(figure, "Characters as the network sees them: near means used alike")
    axes.set_xlabel(
        f"first principal component\n(both: {share:.0%} of the variance; vowels in yellow)"
    )
    axes.set_ylabel("second principal component")
    return figure


STILLS = 6  # of a film that are drawn


def embedding_film(
    stills: Mapping[int, ArrayLike],
    labels: Sequence[str],
    named: Sequence[int] | np.ndarray | None = None,
) -> Plot:
    """Draw the characters' vectors [vocab, dim] at several steps of training, the last one last.

    They are drawn on the first two principal components of what changed from the first to the last,
    where the movement is largest, each still at its own scale. At most `STILLS` are drawn, spread
    evenly. `labels` and `named` are those of `embedding`.
    """
    steps = sorted(stills)
    chosen = np.unique(np.linspace(0, len(steps) - 1, min(STILLS, len(steps))).round().astype(int))
    shown = {steps[i]: np.asarray(stills[steps[i]], np.float64) for i in chosen}
    first, *_, last = shown.values()
    directions, share = _plane(last - first)
    points = {step: _centred(vectors) @ directions for step, vectors in shown.items()}
    rows = -(-len(points) // 2)
    figure = Plot(figsize=(WIDTH, 0.6 + 2.2 * rows), layout="constrained")
    panels = figure.subplots(rows, 2, squeeze=False).ravel()
    for axes, (step, still) in zip(panels, points.items(), strict=False):
        _scatter(axes, still, labels, named, size=80)
        axes.set_title(f"step {step:,}", size=10)
        axes.set_xticks([])
        axes.set_yticks([])
    for axes in panels[len(points) :]:
        axes.remove()
    entitle(figure, f"The characters' vectors during training ({share:.0%} of their movement)")
    return figure


def _centred(vectors: np.ndarray) -> np.ndarray:
    return vectors - vectors.mean(axis=0)


def _plane(vectors: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the first two principal directions [dim, 2], and their share of the variance."""
    _, scale, directions = np.linalg.svd(_centred(vectors), full_matrices=False)
    if len(directions) == 1:
        directions = np.vstack([directions, np.zeros_like(directions)])
    share = float((scale[:2] ** 2).sum() / max((scale**2).sum(), 1e-30))
    return directions[:2].T, share


def _scatter(
    axes: Axes,
    points: np.ndarray,
    labels: Sequence[str],
    named: Sequence[int] | np.ndarray | None,
    *,
    size: float,
) -> None:
    """Draw each point as a dot, those in `named` with a disc and their label; vowels in yellow."""
    shown = np.arange(len(labels)) if named is None else np.asarray(named)
    vowels = np.isin(np.asarray(labels)[shown], list("aeiouyAEIOUY"))
    axes.plot(*points.T, ".", color="#999999", markersize=3, rasterized=True, zorder=0)
    axes.scatter(*points[shown][~vowels].T, s=size, color="#BBCCEE", zorder=1)
    axes.scatter(*points[shown][vowels].T, s=size, color="#F5D48A", zorder=1)
    for i in shown.tolist():
        x, y = points[i]
        axes.text(x, y, literal(labels[i]), ha="center", va="center", color=ON_LIGHT, zorder=2)
