"""The report shows markup as text and needs nothing from outside."""

import html.parser
import re
from itertools import pairwise

import numpy as np
import pytest

from mmjax import Vocab, bigram, mlp, plots, report
from mmjax.diagnostics import Finding
from mmjax.diagnostics.finding import PICTURES
from mmjax.io.text import Table
from mmjax.model import parameter_count
from mmjax.report import comparison, drawing, pictures
from mmjax.report.drawing import Picture
from mmjax.report.sections import Report, Section
from mmjax.runs.verdict import Verdict

MARKUP = """<script>alert("1")</script>'"><img src=x onerror=alert(1)>{{ 7 * 7 }}&lt;</title>]]>"""
ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "nav", "section", "div"),
    *("h1", "h2", "h3", "p", "a", "ul", "li", "span", "bdi", "figure", "figcaption"),
    *("code", "strong", "br", "details", "summary"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("svg", "defs", "g", "path", "use", "text", "tspan", "clippath", "rect", "image"),
}


class Page(html.parser.HTMLParser):
    """The tags, attributes and text of a page.

    It fails if an element is closed in the wrong order.
    """

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text, self.open = [], [], "", []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def render(**changes):
    """Return the page of a report whose texts are markup."""
    two = [
        Picture(
            name, plots.histograms({MARKUP: np.arange(9.0)}, title=MARKUP, xlabel=MARKUP), MARKUP
        )
        for name in ("one", "two")
    ]
    whole = Report(
        title=MARKUP,
        lead=MARKUP,
        verdict=Verdict("good", MARKUP, [MARKUP], MARKUP, MARKUP),
        findings=[Finding(MARKUP, MARKUP, 1.0, 2.0, MARKUP, " %")],
        samples=[(MARKUP, MARKUP)],
        sections=[
            Section(MARKUP, MARKUP, {MARKUP: Table(["", MARKUP], [[MARKUP, 0.5]])}, two),
            Section("settings", tables={"": Table(["", ""], [[MARKUP, MARKUP]])}, folded=True),
        ],
    )._replace(**changes)
    svgs = {
        picture.name: report.inline(picture.name, drawing.svg(picture.figure))
        for section in whole.sections
        for picture in section.pictures
    }
    return report.render(whole, svgs)


def test_markup_is_shown_as_text():
    page = Page(render())
    assert set(page.tags) <= ALLOWED
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    # It is in the title, the heading, the texts, the caption, cells, samples and pictures.
    assert page.text.count(MARKUP) >= 19
    assert "49" not in page.text


def test_nothing_is_fetched():
    page = Page(render())
    assert dict(page.attributes)["content"]
    links = [v for name, v in page.attributes if name in ("src", "href", "xlink:href", "action")]
    assert links
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)
    outside = [value for _, value in page.attributes if "://" in (value or "")]
    assert {value.split("/")[2] for value in outside} == {"www.w3.org"}  # XML namespaces
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert ("content", policy) in page.attributes
    assert "@import" not in render()


def test_no_id_stands_twice_and_every_reference_is_met():
    page = Page(render())
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len({*ids})
    for name, value in page.attributes:
        targets = re.findall(r"url\(#([^)]*)\)", value or "")
        if name in ("href", "xlink:href") and value.startswith("#"):
            targets.append(value[1:])
        if name == "aria-labelledby":
            targets.append(value)
        assert {*targets} <= {*ids}, (name, value)


def test_a_screen_reader_finds_its_way():
    page = render()
    assert '<html lang="en">' in page
    levels = [int(level) for level in re.findall(r"<h(\d)", page)]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert page.count("<table") == page.count("<caption>")
    assert page.count('role="img" aria-label="') == page.count("<svg ") == 2
    assert page.count('<svg aria-hidden="true"') == 2


def test_a_finding_links_to_its_picture_where_the_page_has_it(monkeypatch):
    slow = Finding("slow learning", "training", 1.0, 2.0, "more steps")
    assert slow.picture == "loss"
    assert "Picture</a>" not in render(findings=[slow])
    monkeypatch.setitem(PICTURES, "slow learning", "two")
    assert '<a href="#two">Picture</a>' in render(findings=[slow])
    assert '<h3 id="two">' in render(findings=[slow])


def test_a_healthy_run_says_so():
    assert "Nothing found." in render(findings=[])
    assert "Nothing found." not in render()


def test_the_playground_is_linked_where_there_is_one():
    assert 'href="playground.html"' not in render()
    assert 'href="playground.html"' in render(playground="playground.html")


def test_the_verdict_and_the_names_come_first_and_details_last():
    page = render()
    order = [page.index(f'id="{name}"') for name in ("verdict", "samples", "health", "section-1")]
    assert order == sorted(order)
    assert page.count("<details>") == page.count("</details>") == 1
    assert page.index("<details>") > page.index('id="section-1"')


def test_pictures_are_legible_on_a_telephone():
    """Its column is 358 pixels wide, and type is 11 pixels high there."""
    ratios = {f"hidden.{i}.linear": np.full(9, -3.0) for i in range(6)}
    for figure in (
        plots.histograms({"a": np.arange(9.0)}, title="t " * 60, xlabel="x"),
        plots.update_ratios(np.arange(9), ratios),
        plots.pair_map(np.ones((27, 27)), "abcdefghijklmnopqrstuvwxyz."),
    ):
        svg = drawing.svg(figure)
        (width,) = re.findall(r' width="([\d.]+)pt"', svg)
        (of_heading,) = re.findall(rf'<g id="{drawing.HEADING}">.*?</g>', svg, re.DOTALL)
        sizes = re.findall(r"font(?:-size)?: ([\d.]+)px", svg.replace(of_heading, ""))
        assert min(map(float, sizes)) * 358 / float(width) >= 11
        (box,) = re.findall(r'viewBox="([^"]*)"', drawing.without_heading(figure, svg))
        _, top, _, height = map(float, box.split())
        assert top > 10
        assert top + height == pytest.approx(72 * figure.get_figheight(), abs=0.1)


def test_pictures_take_the_colours_of_the_page_and_are_the_same_every_time():
    figure = plots.histograms({"a": np.arange(9.0)}, title="t", xlabel="x")
    svg = drawing.svg(figure)
    assert svg == drawing.svg(figure)
    assert "#000000" in svg
    inline = report.inline("name", svg)
    assert "#000000" not in inline
    assert "#ffffff" not in inline
    assert 'id="name-heading"' in inline


@pytest.mark.parametrize("size", [5, 101])
def test_a_long_alphabet_is_cut_and_the_report_says_so(size):
    letters = Vocab("".join(chr(0x4E00 + i) for i in range(size - 1)))
    table = np.random.default_rng(0).integers(0, 9, (size, size))
    kept = plots.most_frequent(table)
    shown = pictures.counted_pairs(table[np.ix_(kept, kept)], kept, letters)
    cut = f"Only the 40 most frequent of {size} tokens are shown."
    assert (cut in shown.meaning) == (size > 40)
    axes = shown.figure.axes[0]
    assert np.asarray(axes.images[0].get_array()).shape == (min(size, 40),) * 2
    labelled = [label.get_text() for label in axes.get_xticklabels()]
    assert labelled == [letters.labels[i] for i in kept][:: 1 if size == 5 else 2]


def test_the_lectures_comparison_is_counted_from_the_models():
    side = comparison.untrained_side(mlp.MLP())
    assert (side.parameters, side.context) == ("47,351", "3 characters")
    counted = comparison.counted_side(27, 729, {"train": 2.4544, "val": 2.458})
    size = parameter_count(bigram.from_counts(np.ones((27, 27))))
    assert counted.parameters == f"{size}" == "729"
    assert counted.overfitting == "+0.0036"
    assert len(comparison.comparison(counted, side).cells()) == len(side)
