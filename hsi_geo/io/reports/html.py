"""Reports: one HTML page with embedded pictures, which loads nothing from elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from hsi_geo.arguments import require_output
from hsi_geo.errors import OptionError
from hsi_geo.text import plain


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a report.

    Attributes:
        uri: Data URI of the image.
        caption: Caption below the picture.
        pixelated: Whether a browser shows pixels as squares, without interpolation.
    """

    uri: str
    caption: str
    pixelated: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a report.

    Attributes:
        header: Names of the columns.
        rows: Cells of each row, as many as columns. The first cell is the name of the row.
        colors: "#rrggbb" of each row, shown before its name; empty for no colours.
        shades: Darkness of each cell but the first, 0 to 1; empty for no shading.
        caption: Caption of the table.
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
        title: Heading of the section.
        text: Paragraphs at the beginning.
        pictures: Pictures, side by side, below the text.
        tables: Tables, one below the other, below the pictures.
    """

    title: str
    text: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """Content of a report.

    Attributes:
        title: Title of the page.
        lead: Summary of the result in one sentence.
        warnings: Sentences on what may make the result worse than it looks.
        sections: Sections in their order.
        command: Command that makes the result again, of the command line or of Python; empty for none.
    """

    title: str
    lead: str
    warnings: Sequence[str] = ()
    sections: Sequence[Section] = field(default_factory=tuple)
    command: str = ""


def require_html(path: str | os.PathLike[str]) -> Path:
    """Refuse a report whose name is not that of an HTML file.

    Args:
        path: Where the report is to be written.

    Returns:
        The path.

    Raises:
        OptionError: If it does not end in .html.
    """
    found = require_output(path)
    if found.suffix.lower() not in (".html", ".htm"):
        raise OptionError(
            f"report '{found}' does not end in .html", hint="reports are written as HTML"
        )
    return found


def write_report(report: Report, path: Path) -> None:
    """Write a report as HTML. Equal reports give equal bytes.

    Args:
        report: Content of the report.
        path: HTML file to write.
    """
    text = (files("hsi_geo.data") / "report.html").read_text(encoding="utf-8")
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        finalize=lambda value: plain(value) if isinstance(value, str) else value,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    page = environment.from_string(text).render(report=report)
    path.write_text(page + "\n", encoding="utf-8")
