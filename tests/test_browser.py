"""The report as a browser shows it, and on paper.

It is tested at two widths, in both colour schemes, and with hostile names.
"""

import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra browser")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium or Chrome"),
]

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        # Chromium's sandbox does not work as root in a container, and these pages are our own.
        yield started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Train on a list of markup; return the folder of the runs.

    The names and the name of the file are markup. The network learns the names by heart, so that
    they are sampled.
    """
    folder = tmp_path_factory.mktemp("runs")
    names = folder / "<img src=x onerror=alert(1)>.txt"
    names.write_text(f"{HOSTILE}\n" * 20)
    small = ("--steps", "1000", "--hidden-size", "29", "--block-size", "7", "--batch-size", "97")
    for program, options in (("mlp", small), ("bigram", ("--steps", "50"))):
        command = [sys.executable, "-m", f"experiments.{program}", "--names", str(names), *options]
        subprocess.run([*command, "--out", str(folder / program)], cwd=ROOT, check=True)
    return folder


@pytest.mark.parametrize("program", ["mlp", "bigram"])
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_report_is_shown_whole_and_runs_nothing(browser, reports, program, width, scheme):
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
    )
    page = context.new_page()
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((reports / program / "report.html").as_uri())
    page.wait_for_load_state("networkidle")
    assert said == []
    # The page itself is requested; all else is images inside it, such as the saturation images.
    assert [url for url in asked if not url.startswith("data:image/png")] == [page.url]
    assert page.evaluate("document.documentElement.scrollWidth") <= width  # no scrolling sideways
    assert page.title().endswith("<img src=x onerror=alert(1)>.txt")
    assert page.locator("script, body img").count() == 0
    if program == "mlp":
        assert HOSTILE in page.locator(".samples").inner_text()
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(22, 24, 27)")
    drawn = page.locator("figure svg")
    assert drawn.count() == (12 if program == "mlp" else 3)
    for i in range(drawn.count()):
        box = drawn.nth(i).bounding_box()
        assert 300 < box["width"] <= width - 32  # the page's margins
        assert box["height"] > 100
    smallest = """[...document.querySelectorAll("figure svg")].map(svg => Math.min(
        ...[...svg.querySelectorAll("text")].filter(text => !text.closest("[id$=-heading]")).map(
            text => parseFloat(getComputedStyle(text).fontSize)
                * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width)))"""
    assert min(page.evaluate(smallest)) > 10.99  # pixels
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Text in pictures has the page's text colour, which depends on the scheme.
    ink = page.evaluate("getComputedStyle(document.querySelector('figure svg text')).fill")
    assert ink == page.evaluate("getComputedStyle(document.body).color")
    context.close()


def test_a_printed_report_is_black_on_white_and_not_cut(browser, reports):
    page = browser.new_page(color_scheme="dark", viewport={"width": 700, "height": 900})
    page.goto((reports / "mlp/report.html").as_uri())
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    overflow = (
        "[...document.querySelectorAll('figure svg')].map(x => x.getBoundingClientRect().right)"
    )
    assert max(page.evaluate(overflow)) <= 700
    settings = page.locator("details").last.locator("table").first
    assert settings.bounding_box()["height"] > 100  # what is folded away is printed
