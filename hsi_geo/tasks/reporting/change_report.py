"""The report on a comparison of two maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hsi_geo.arrays import IntArray
from hsi_geo.display.images import paint
from hsi_geo.io.labels.shots import ClassTable, LandClass
from hsi_geo.io.maps.reader import read_map
from hsi_geo.io.reports.html import Picture, Report, Section, Table, write_report
from hsi_geo.io.reports.images import image_uri, shades
from hsi_geo.io.scenes.previews import SIDE_PX
from hsi_geo.tasks.change.results import Comparison
from hsi_geo.tasks.reporting.assessment_report import assessment_sections
from hsi_geo.text import number_text

#: Most changes that are listed.
MOST_CHANGES = 50


@dataclass(frozen=True, eq=False)
class ChangeReportContext:
    """Content of the report on a comparison.

    Attributes:
        found: The comparison.
        old: Path of the old map.
        new: Path of the new map.
        change: Path of the map of change.
        warnings: Warnings of the comparison, as sentences.
        command: Command that makes the report again; empty for none.
    """

    found: Comparison
    old: str
    new: str
    change: Path
    warnings: Sequence[str]
    command: str


def report_change(compared: ChangeReportContext, path: Path) -> None:
    """Write the report on a comparison to an HTML file.

    Args:
        compared: The maps and the results.
        path: HTML file to write.
    """
    found = compared.found
    share = 100 * found.matrix.changed_share
    lead = f"{share:.1f} % of what both maps show has another class in the new map."
    sections = [_facts(compared), _maps(compared), _matrix(found), _changes(found)]
    if found.assessment is not None:
        colors = {c.name: c.color for c in _table(found)}
        sections += assessment_sections(found.assessment, colors)
    title = f"Change from {Path(compared.old).name} to {Path(compared.new).name}"
    write_report(Report(title, lead, compared.warnings, sections, compared.command), path)


def _facts(compared: ChangeReportContext) -> Section:
    found = compared.found
    sizes = found.matrix.hectares
    total = found.matrix.land_total
    unit = "pixels" if sizes is None else "ha"
    rows = [
        ("old map", compared.old),
        ("new map", compared.new),
        ("compared", f"{number_text(total, 1)} {unit}"),
        ("changed", f"{number_text(total * found.matrix.changed_share, 1)} {unit}"),
        ("not compared", f"{found.matrix.uncompared:,} pixels that one map gives no class"),
        (
            "rejected, and compared apart" if found.classes.rejected else "rejected, not compared",
            "{:,} pixels of the old map, {:,} of the new one".format(*found.rejected),
        ),
        ("only in the old map", ", ".join(found.only_in_old) or "nothing"),
        ("only in the new map", ", ".join(found.only_in_new) or "nothing"),
    ]
    caution = (
        "Areas are those that the maps show, with the errors of both. Two maps that are each right at 90 % of the pixels may "
        "show change at 20 % of the pixels where nothing changed. Take areas of change from a reference of both dates "
        "(--reference, --design)."
    )
    text = (caution,) if found.assessment is None else ()
    return Section("Maps", text, tables=(Table(("", ""), rows),))


def _maps(compared: ChangeReportContext) -> Section:
    found = compared.found
    table = _table(found)
    values = read_map(compared.change).thumbnail(SIDE_PX).filled(0)
    image = paint(_numbered(values, table), _renumbered(table))
    shown = [Picture(image_uri(image), "Changes. Pale: no change; white: not compared", True)]
    names = dict(zip(found.classes.names, found.classes.colors, strict=True))
    for path, caption in ((compared.old, "Old map"), (compared.new, "New map")):
        shown.append(_picture(path, names, caption))
    return Section("Pictures", pictures=tuple(shown))


def _picture(path: str, colors: Mapping[str, str], caption: str) -> Picture:
    opened = read_map(path)
    values = opened.thumbnail(SIDE_PX)
    present = [int(value) for value in np.unique(values.compressed())]
    classes = tuple(
        LandClass(value, opened.name_of(value), colors.get(opened.name_of(value), "#888888"))
        for value in present
    )
    ids = np.where(np.ma.getmaskarray(values), 0, _numbered(values.data, classes))
    return Picture(image_uri(paint(ids, _renumbered(classes))), caption, True)


def _numbered(values: IntArray, classes: ClassTable) -> IntArray:
    """Place of each value in a class table, from 1; 0 for others."""
    ids = np.zeros(values.shape, np.int64)
    for number, c in enumerate(classes, start=1):
        ids[values == c.id] = number
    return ids


def _renumbered(classes: ClassTable) -> ClassTable:
    return tuple(LandClass(i, c.name, c.color) for i, c in enumerate(classes, start=1))


def _table(found: Comparison) -> ClassTable:
    return found.classes.table([pair.id for pair in found.pairs])


def _matrix(found: Comparison) -> Section:
    names, hectares = found.classes.names, found.matrix.hectares
    pixels = found.matrix.pixels
    if hectares is None:
        cells = [[f"{count:,}" for count in row] for row in pixels.tolist()]
    else:
        cells = [[number_text(area, 1) for area in row] for row in hectares.tolist()]
    rows = [(name, *row) for name, row in zip(names, cells, strict=True)]
    unit = "Pixels" if hectares is None else "Hectares"
    table = Table(
        ("", *names), rows, shades=_row_shades(pixels),
        colors=found.classes.colors, caption=f"{unit}; rows: class in the old map, columns: class in the new map",
    )  # fmt: skip
    return Section("What became of each class", tables=(table,))


def _row_shades(pixels: IntArray) -> Sequence[Sequence[float]]:
    """Darkness of each cell by its share of the row: of the class in the old map."""
    return [list(column) for column in zip(*shades(pixels.T), strict=True)]


def _changes(found: Comparison) -> Section:
    colors = {c.id: c.color for c in _table(found)}
    listed = found.changes[:MOST_CHANGES]
    rows = [
        (
            one.name,
            str(one.id),
            f"{one.pixels:,}",
            "-" if one.hectares is None else number_text(one.hectares, 1),
            "-" if one.confidence is None else f"{one.confidence:.0f} %",
        )
        for one in listed
    ]
    if not rows:
        return Section("Changes", ("No pixel has another class in the new map.",))
    more = len(found.changes) - len(listed)
    text = [
        "Confidence: product of the probabilities of both classes. Low confidence often means that one of the maps is wrong.",
        *([f"{more} smaller changes are not listed."] if more else []),
    ]
    header = ("change", "id", "pixels", "hectares", "confidence")
    return Section(
        "Changes", text, tables=(Table(header, rows, colors=[colors[c.id] for c in listed]),)
    )
