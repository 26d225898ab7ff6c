"""Open the pages of a run in the browser."""

import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from mmjax.errors import require
from mmjax.io.text import shown

PAGES = {"playground": "playground.html", "report": "report.html"}


@dataclass(frozen=True)
class Options:
    """Open a run's page in the browser, and print its path.

    Without a browser, the path is all.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """Open the page of this run folder."""
    page: Literal["playground", "report"] | None = None
    """Open this page: playground, to make and score names, or report, on the training. By default
    the playground if there is one."""

    def __post_init__(self):
        require(self.run.is_dir(), f"{self.run}: is no run folder; give one, such as runs/names")


def program(options: Options) -> int:
    """Open the page; return the exit status."""
    asked = [options.page] if options.page else [*PAGES]
    found = [path for name in asked if (path := options.run / PAGES[name]).exists()]
    require(
        bool(found),
        f"{options.run}: has no {' and no '.join(PAGES[name] for name in asked)}; train without "
        "--no-report",
    )
    page = found[0].absolute()
    print(shown(str(page)))
    webbrowser.open(page.as_uri())
    return 0
