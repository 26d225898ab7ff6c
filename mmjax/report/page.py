"""`report.html`: a run in one self-contained file."""

import re
from collections.abc import Mapping
from pathlib import Path

import jinja2
from markupsafe import Markup

from mmjax.io import files
from mmjax.report import drawing
from mmjax.report.sections import Page
from mmjax.runs.layout import FIGURES, REPORT


def write(report: Page, folder: Path) -> None:
    """Write the pictures and the page into a run folder.

    Raises `InputError` if a file cannot be written.
    """
    drawn = [picture for section in report.sections for picture in section.pictures]
    svgs = drawing.save_pictures(drawn, folder / FIGURES)
    inlined = {
        each.name: inline(each.name, drawing.without_heading(each.figure, svgs[each.name]))
        for each in drawn
    }
    files.write(folder / REPORT, render(report, inlined))


def render(report: Page, svgs: Mapping[str, Markup]) -> str:
    """Return the page as HTML.

    Everything is escaped here except the pictures, which matplotlib has escaped.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template(report.template)
    return template.render(report=report, svgs=svgs)


def inline(name: str, svg: str) -> Markup:
    """Return an SVG to embed in a page.

    Its black and white become the page's colours. Its ids begin with `name`, so that no other
    picture has the same ones.
    """
    svg = svg[svg.index("<svg ") :]
    svg = svg.replace("#000000", "currentColor").replace("#ffffff", "var(--paper)")
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    return Markup(svg.replace("<svg ", '<svg aria-hidden="true" ', 1))
