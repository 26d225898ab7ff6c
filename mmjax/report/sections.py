"""The parts of a report."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from mmjax.diagnostics import Finding
from mmjax.io.text import Table
from mmjax.report.drawing import Picture


class Section(NamedTuple):
    """A heading with text, tables and pictures under it.

    `tables` has each table by its caption.
    """

    title: str
    text: str = ""
    tables: Mapping[str, Table] = {}
    pictures: Sequence[Picture] = ()


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
    findings: Sequence[Finding]
    samples: Sequence[tuple[str, str]]
    sections: Sequence[Section]


def settings_and_figures(settings: Mapping[str, Any], figures: Mapping[str, Any]) -> Section:
    """Return the section of settings, figures, versions and device."""
    tables = {"Settings": settings, "Figures, versions and device": figures}
    return Section(
        "Settings and versions",
        tables={
            title: Table(["", ""], [(key, setting(value)) for key, value in content.items()])
            for title, content in tables.items()
        },
    )


def setting(value: Any) -> str:
    """Return a JSON value as text."""
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)
