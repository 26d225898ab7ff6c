"""Figures as files: SVG with the same bytes every time, and PNG."""

import io
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
from matplotlib.figure import Figure
from matplotlib.text import Text

from mmjax.io import files
from mmjax.runs.layout import make_folder

HEADING = "heading"  # the id of the heading's group in the SVG


class Picture(NamedTuple):
    """A figure, the name of its file, and what it means."""

    name: str
    figure: Figure
    meaning: str

    @property
    def title(self) -> str:
        """Return the text of the figure's heading."""
        return heading(self.figure).get_text()


def heading(figure: Figure) -> Text:
    """Return the heading of a figure.

    That is the suptitle of a figure with several panels, else the title of its only panel.
    """
    return figure.texts[0] if figure.get_suptitle() else figure.axes[0].title


def svg(figure: Figure) -> str:
    """Return a figure as SVG, the same bytes every time.

    Text stays text, and the group of the heading has the id `HEADING`.
    """
    heading(figure).set_gid(HEADING)
    settings = {"svg.fonttype": "none", "svg.hashsalt": "mmjax"}
    nameless = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    text = drawn(figure, "svg", settings, metadata=nameless).decode()
    figure.set_layout_engine("none")  # a second layout would start from the first one's result
    # Name the fonts once, not for each of a thousand texts.
    fonts = "font-family: 'DejaVu Sans', Verdana, sans-serif"
    text = re.sub(r"font-family: ('[^']*', )*sans-serif; ?", "", text)
    return text.replace("<svg ", f'<svg style="{fonts}" ', 1)


def without_heading(figure: Figure, svg: str) -> str:
    """Return the SVG of a figure, cut below its heading.

    A page shows the heading as text. The figure must have been drawn.
    """
    height = 72 * figure.get_figheight()
    top = height - 72 * heading(figure).get_window_extent().y0 / figure.dpi
    size = re.compile(r'height="[^"]*pt" viewBox="0 0 (\S+) \S+"')
    new = rf'height="{height - top:g}pt" viewBox="0 {top:g} \1 {height - top:g}"'
    return size.sub(new, svg, count=1)


def drawn(figure: Figure, format: str, settings: dict[Any, Any], **options: Any) -> bytes:
    """Return a figure as a file of this format, drawn with matplotlib's `settings`."""
    image = io.BytesIO()
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # A missing glyph is no fault: an SVG's viewer has its own fonts, and a PNG shows a box.
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(image, format=format, dpi=100, **options)
    return image.getvalue()


def write_picture(figure: Figure, path: Path) -> None:
    """Write a figure as SVG or PNG, by the suffix of `path`.

    Raises `InputError` if it cannot be written.
    """
    make_folder(path.parent)
    files.write(path, svg(figure) if path.suffix == ".svg" else drawn(figure, "png", {}))


def save_pictures(pictures: Sequence[Picture], folder: Path) -> dict[str, str]:
    """Write each picture into `folder` as NAME.svg; return each SVG by its name.

    Raises `InputError` if a file cannot be written.
    """
    if pictures:
        make_folder(folder)
    svgs = {picture.name: svg(picture.figure) for picture in pictures}
    for name, text in svgs.items():
        files.write(folder / f"{name}.svg", text)
    return svgs
