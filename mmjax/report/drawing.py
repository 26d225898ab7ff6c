"""Figures as files: SVG that is the same every time, and PNG."""

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
        """What its heading says."""
        return heading(self.figure).get_text()


def heading(figure: Figure) -> Text:
    """What stands above a figure: over several panels a text of the figure, else the title of the one."""
    return figure.texts[0] if figure.get_suptitle() else figure.axes[0].title


def svg(figure: Figure) -> str:
    """A figure as SVG with text as text, and with a hint where its heading is; the same bytes every time."""
    heading(figure).set_gid(HEADING)
    settings = {"svg.fonttype": "none", "svg.hashsalt": "mmjax"}
    nameless = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    text = drawn(figure, "svg", settings, metadata=nameless).decode()
    # The fonts once for all, not with each of a thousand texts.
    fonts = "font-family: 'DejaVu Sans', Verdana, sans-serif"
    text = re.sub(r"font-family: ('[^']*', )*sans-serif; ?", "", text)
    return text.replace("<svg ", f'<svg style="{fonts}" ', 1)


def drawn(figure: Figure, format: str, settings: dict[Any, Any], **options: Any) -> bytes:
    """A figure as a file of that format, drawn with matplotlib's `settings`."""
    image = io.BytesIO()
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # In an SVG whoever shows it has the glyph, in a PNG a box stands for it.
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(image, format=format, dpi=100, **options)
    return image.getvalue()


def write_picture(figure: Figure, path: Path) -> None:
    """Write a figure as what the path ends in, .svg or .png. Raises `InputError` if that cannot be done."""
    make_folder(path.parent)
    files.write(path, svg(figure) if path.suffix == ".svg" else drawn(figure, "png", {}))


def save_pictures(pictures: Sequence[Picture], folder: Path) -> dict[str, str]:
    """Write each picture into `folder` as NAME.svg; the SVG of each by its name.

    Raises `InputError` if that cannot be done.
    """
    make_folder(folder)
    svgs = {picture.name: svg(picture.figure) for picture in pictures}
    for name, text in svgs.items():
        files.write(folder / f"{name}.svg", text)
    return svgs
