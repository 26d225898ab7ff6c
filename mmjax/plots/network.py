"""Figures of a network's layers and embedding."""

from collections.abc import Mapping, Sequence

import numpy as np
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
    centred = vectors - vectors.mean(axis=0)
    _, scale, directions = np.linalg.svd(centred, full_matrices=False)
    points = centred @ directions[:2].T
    if points.shape[1] == 1:
        points = np.hstack([points, np.zeros_like(points)])
    share = (scale[:2] ** 2).sum() / max((scale**2).sum(), 1e-30)
    shown = np.arange(len(labels)) if named is None else np.asarray(named)
    vowels = np.isin(np.asarray(labels)[shown], list("aeiouyAEIOUY"))
    axes.plot(*points.T, ".", color="#999999", markersize=3, rasterized=True, zorder=0)
    axes.scatter(*points[shown][~vowels].T, s=180, color="#BBCCEE", zorder=1)
    axes.scatter(*points[shown][vowels].T, s=180, color="#F5D48A", zorder=1)
    for i in shown.tolist():
        x, y = points[i]
        axes.text(x, y, literal(labels[i]), ha="center", va="center", color=ON_LIGHT, zorder=2)
    entitle(figure, "Characters as the network sees them: near means used alike")
    axes.set_xlabel(
        f"first principal component\n(both: {share:.0%} of the variance; vowels in yellow)"
    )
    axes.set_ylabel("second principal component")
    return figure
