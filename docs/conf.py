"""The site: `make docs` builds it from the Markdown files of the repository."""

import re
import shutil
from pathlib import Path
from typing import Any

from mmjax.version import __version__

project = "mmjax"
copyright = "the authors of mmjax, MIT licence"
release = __version__

extensions = ["myst_nb"]
root_doc = "README"
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LOG.md",
    "SECURITY.md",
    "data/README.md",
    "records/README.md",
    "docs/*.md",
    "docs/**/*.md",
]

html_theme = "furo"
html_title = "mmjax"
html_show_sphinx = False
html_copy_source = False

myst_heading_anchors = 4
myst_enable_extensions = ["dollarmath"]
# The kernel starts in the folder of the page.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True

# The parts of the site, in the order of its side bar. The files themselves have no such lists, since
# a code host would show them as text.
PARTS = {
    "README": {
        "Learn": ["docs/guide/README"],
        "Use": [
            "docs/names",
            "docs/programs",
            "docs/sweeps",
            "docs/SCALING",
            "docs/own-model",
            "docs/api",
        ],
        "Look inside": ["docs/diagnosis", "docs/instruments/README"],
        "Measured": ["docs/results", "records/README", "docs/REPRODUCTION", "docs/RELIABILITY"],
        "The project": ["data/README", "SECURITY", "CONTRIBUTING", "CHANGELOG", "LOG"],
    },
    "docs/guide/README": {"Lessons": ["docs/guide/[0-9]*"]},
    "docs/instruments/README": {"Instruments": ["docs/instruments/[a-z]*"]},
}


def contents(page: str) -> str:
    """Return the directives that list the parts below a page."""
    return "\n".join(
        f"```{{toctree}}\n:hidden:\n:glob:\n:caption: {caption}\n\n"
        + "\n".join(f"/{page}" for page in pages)
        + "\n```\n"
        for caption, pages in PARTS.get(page, {}).items()
    )


def before_reading(app: Any, page: str, source: list[str]) -> None:
    """Add the contents; leave out printed output, which the site has from the cells themselves."""
    text = source[0]
    if "{code-cell}" in text:
        text = re.sub(
            r"(```\{code-cell\}.*?\n```\n)\s*```text.*?\n```\n", r"\1", text, flags=re.DOTALL
        )
    source[0] = f"{text}\n{contents(page)}"


def after_building(app: Any, failure: Exception | None) -> None:
    """Make the README the first page."""
    if failure is None:
        folder = Path(app.outdir)
        shutil.copy(folder / "README.html", folder / "index.html")


def setup(app: Any) -> None:
    """Connect the functions to Sphinx's events."""
    app.connect("source-read", before_reading)
    app.connect("build-finished", after_building)
