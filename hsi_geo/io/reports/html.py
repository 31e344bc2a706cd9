"""Reports: one HTML page that carries its pictures and needs nothing from elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import jinja2

from hsi_geo.errors import OptionError
from hsi_geo.text import plain


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a report.

    Attributes:
        uri: The image itself, as a data URI.
        caption: What it shows.
        pixelated: Whether pixels are shown as squares, not blurred into each other.
    """

    uri: str
    caption: str
    pixelated: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a report.

    Attributes:
        header: Names of the columns.
        rows: As many cells each; the first names the row.
        colors: "#rrggbb" of each row, shown before its name; empty for none.
        shades: 0 to 1 of each cell but the first, how dark it is; empty for none.
        caption: What it shows.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    colors: Sequence[str] = ()
    shades: Sequence[Sequence[float]] = ()
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a report.

    Attributes:
        title: Its heading.
        text: Paragraphs before everything else.
        pictures: Side by side.
        tables: One below the other.
    """

    title: str
    text: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What a report says.

    Attributes:
        title: Of the page.
        lead: The one sentence that everybody reads.
        warnings: What may make the result worse than it looks.
        sections: In their order.
        command: What makes it again, as typed or as written in Python.
    """

    title: str
    lead: str
    warnings: Sequence[str] = ()
    sections: Sequence[Section] = field(default_factory=tuple)
    command: str = ""


def require_html(path: str | os.PathLike[str]) -> Path:
    """The path of a report.

    Raises:
        OptionError: If it does not end in .html.
    """
    found = Path(path)
    if found.suffix.lower() not in (".html", ".htm"):
        raise OptionError(
            f"report '{found}' does not end in .html", hint="reports are written as HTML"
        )
    return found


def write_report(report: Report, path: Path) -> None:
    """Write a report as HTML; equal reports give equal bytes."""
    text = (files("hsi_geo.data") / "report.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True,
        finalize=lambda value: plain(value) if isinstance(value, str) else value,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    page = environment.from_string(text).render(report=report)
    path.write_text(page + "\n", encoding="utf-8")
