"""The parts of a report."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from mmjax.diagnostics import Finding
from mmjax.io.text import Table
from mmjax.report.drawing import Picture
from mmjax.runs.verdict import Verdict


class Section(NamedTuple):
    """A heading with text, tables and pictures under it.

    `tables` has each table by its caption. A folded section shows its heading until it is opened.
    """

    title: str
    text: str = ""
    tables: Mapping[str, Table] = {}
    pictures: Sequence[Picture] = ()
    folded: bool = False


@runtime_checkable
class Page(Protocol):
    """What every page has; its template, which extends `page.html.j2`, shows the rest."""

    @property
    def template(self) -> str:
        """Return the file name of the template."""
        ...

    @property
    def sections(self) -> "Sequence[Section]":
        """Return the sections after the first part."""
        ...


class Report(NamedTuple):
    """The content of a report, from top to bottom."""

    template = "report.html.j2"
    title: str
    lead: str
    verdict: Verdict
    samples: Sequence[tuple[str, str]]
    findings: Sequence[Finding] | None
    """What the diagnostics found; None where there are none."""
    sections: Sequence[Section]
    playground: str = ""
    """File beside the report in which the network can be tried, or nothing."""


def settings_and_figures(settings: Mapping[str, Any], figures: Mapping[str, Any]) -> Section:
    """Return the section of settings, figures, versions and device."""
    tables = {"Settings": settings, "Figures, versions and device": figures}
    return Section(
        "Settings",
        tables={
            title: Table(["", ""], [(key, setting(value)) for key, value in content.items()])
            for title, content in tables.items()
        },
        folded=True,
    )


def setting(value: Any) -> str:
    """Return a JSON value as text."""
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)
