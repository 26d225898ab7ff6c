"""Style: colours and lines that all figures share."""

import io
import textwrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000", "#999933")
# Text on a coloured background. Not pure black and white: the report replaces those with the page's
# colours, which dark mode swaps.
ON_DARK, ON_LIGHT = "#fefefe", "#111111"
# Inches. A telephone shows this width on about 360 pixels, and then type of 10 points, the default,
# is 11 pixels high.
WIDTH = 4.5
HEADING = 52  # characters in a line of the heading


class Plot(Figure):
    """A figure that a notebook shows without `%matplotlib`.

    It has to be the last line of a cell.
    """

    def _repr_png_(self) -> bytes:
        """Return the figure as PNG; IPython calls this to show it."""
        image = io.BytesIO()
        self.savefig(image, format="png")
        return image.getvalue()


def new_figure(height: float, width: float = WIDTH) -> tuple[Plot, Axes]:
    """Return a figure of this size in inches, and its axes."""
    figure = Plot(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def entitle(figure: Figure, title: str) -> None:
    """Give a figure its heading, broken into lines that fit the width."""
    figure.suptitle("\n".join(textwrap.wrap(title, HEADING)), size=10.5)


def explain(figure: Figure, columns: int = 1) -> None:
    """Put the legend of a figure's first panel under it, where it hides nothing."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=columns, fontsize=10, frameon=False
    )


def line(i: int) -> dict[str, Any]:
    """Return the colour and style of the i-th line.

    The first 16 lines all differ.
    """
    return {"color": COLOURS[i % len(COLOURS)], "linestyle": ("-", "--")[i // len(COLOURS) % 2]}


def literal(text: str) -> str:
    """Return text that matplotlib shows as it is.

    Dollar signs are escaped, so that they start no formula; unprintable characters are replaced.
    """
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text).replace(
        "$", r"\$"
    )
