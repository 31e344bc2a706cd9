"""The report on an accuracy assessment."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hsi_geo.display.images import paint
from hsi_geo.io.labels.class_colors import complete_colors
from hsi_geo.io.labels.shots import LandClass
from hsi_geo.io.maps.legend import read_legend
from hsi_geo.io.maps.reader import ReadMap
from hsi_geo.io.reports.html import Picture, Report, Section, Table, write_report
from hsi_geo.io.reports.images import image_uri
from hsi_geo.io.scenes.previews import SIDE_PX
from hsi_geo.tasks.assessment.results import Assessment, Estimate
from hsi_geo.tasks.reporting.map_report import matrix_table

#: Most values of a map that are coloured; others are white.
MOST_CLASSES = 1000


@dataclass(frozen=True, eq=False)
class AssessmentReportContext:
    """Content of the report on an assessment.

    Attributes:
        map: Map that was assessed.
        reference: Name of the file of reference labels.
        found: Results of the assessment.
        warnings: Warnings of the assessment, as sentences.
        command: Command that makes the report again; empty for none.
    """

    map: ReadMap
    reference: str
    found: Assessment
    warnings: Sequence[str]
    command: str


def report_assessment(assessed: AssessmentReportContext, path: Path) -> None:
    """Write the report on an assessment to an HTML file.

    Args:
        assessed: The map and the results.
        path: HTML file to write.
    """
    found = assessed.found
    colors = _colors(assessed.map)
    sections = [
        _accuracy_section(assessed),
        *assessment_sections(found, colors),
        *_upper_sections(found),
        _map_section(assessed.map, colors),
    ]
    where = "of the whole map" if found.design else "of the reference pixels"
    lead = (
        f"Overall accuracy {where}: {100 * found.oa.value:.1f} % "
        f"(95 % interval {100 * found.oa.low:.1f}-{100 * found.oa.high:.1f} %)."
    )
    title = f"Assessment of {Path(assessed.map.path).name}"
    write_report(Report(title, lead, assessed.warnings, sections, assessed.command), path)


def assessment_sections(found: Assessment, colors: Mapping[str, str]) -> list[Section]:
    """Sections on the classes, their areas and the confusion matrix.

    Args:
        found: Results of an assessment.
        colors: "#rrggbb" by the name of the class.
    """
    sections = [_class_section(found, colors)]
    if found.design is not None:
        sections.append(_area_section(found, colors))
    names = [score.name for score in found.scores]
    caption = "Reference pixels; rows: class in the map, columns: class in the reference"
    sections.append(
        Section("Confusion matrix", tables=(matrix_table(found.matrix, names, caption),))
    )
    return sections


def _upper_sections(found: Assessment) -> list[Section]:
    """Sections on the upper level of the classes; none for one level."""
    if found.parents is None:
        return []
    names = [score.name for score in found.parents.scores]
    colors = dict(zip(names, complete_colors([None] * len(names), names), strict=True))
    sections = assessment_sections(found.parents, colors)
    lead = f"Overall accuracy of the upper level: {found.parents.oa} %."
    first = dataclasses.replace(sections[0], text=(lead, *sections[0].text))
    return [
        dataclasses.replace(
            section, title=f"Upper level: {section.title[0].lower()}{section.title[1:]}"
        )
        for section in (first, *sections[1:])
    ]


def _accuracy_section(assessed: AssessmentReportContext) -> Section:
    found = assessed.found
    rows = [
        ("overall accuracy", f"{found.oa} %"),
        ("average accuracy", f"{found.aa} %"),
        ("kappa", _cell(found.kappa, " %")),
        ("map", assessed.map.path),
        ("reference", f"{assessed.reference}: {found.pixels} pixels of {found.features} features"),
        ("sampling design", found.design or "none stated"),
        *(
            [("to halve the interval", f"{found.further_places} further places")]
            if found.more_places
            else []
        ),
        ("left out", "; ".join(found.dropped) or "nothing"),
        ("only in the map", ", ".join(found.only_in_map) or "nothing"),
        ("only in the reference", ", ".join(found.only_in_reference) or "nothing"),
    ]
    text = [f"In brackets: 95 % interval. {found.method[0].upper()}{found.method[1:]}."]
    if found.design is None:
        text.append(
            "No probability design was stated. The numbers hold for the reference pixels, not for places "
            "that the reference leaves out, and areas cannot be corrected."
        )
    return Section("Accuracy", text, tables=(Table(("", ""), rows),))


def _class_section(found: Assessment, colors: Mapping[str, str]) -> Section:
    rows = [
        (s.name, str(s.mapped), str(s.reference), *map(_cell, (s.user, s.producer, s.f1)))
        for s in found.scores
    ]
    table = Table(
        ("per cent", "mapped (pixels)", "reference (pixels)", "user's", "producer's", "F1"),
        rows,
        colors=[colors.get(s.name, "#ffffff") for s in found.scores],
    )
    text = (
        "User's accuracy: share of the pixels of a class in the map that are of it on the ground. "
        "Producer's accuracy: share of the pixels of a class on the ground that are of it in the map."
    )
    return Section("Classes", (text,), tables=(table,))


def _area_section(found: Assessment, colors: Mapping[str, str]) -> Section:
    rows, swatches = [], []
    for score in found.scores:
        if score.area is not None:
            rows.append((score.name, *score.area.texts))
            swatches.append(colors.get(score.name, "#ffffff"))
    table = Table(("class", "in the map", "estimated", "standard error"), rows, colors=swatches)
    text = (
        "Estimated areas are corrected for the map's errors (Olofsson et al. 2014, Stehman 2014)."
    )
    return Section("Areas", (text,), tables=(table,))


def _map_section(opened: ReadMap, colors: dict[str, str]) -> Section:
    values = opened.thumbnail(SIDE_PX)
    present = [int(v) for v in np.unique(values.compressed())][:MOST_CLASSES]
    ids = np.zeros(values.shape, np.int64)
    table = []
    for id, value in enumerate(present, start=1):
        ids[(values == value).filled(False)] = id
        name = opened.name_of(value)
        table.append(LandClass(id, name, colors.get(name, "#888888"), value))
    if not table:  # a picture of a large map leaves out most of its pixels
        return Section("Map", ("The mapped pixels are too few to show at the size of a picture.",))
    picture = Picture(image_uri(paint(ids, tuple(table))), "Map; white: no class", True)
    return Section("Map", pictures=(picture,))


def _colors(opened: ReadMap) -> dict[str, str]:
    """Colour of each class of the map by its name: that of the map, or one of the palette."""
    return {c.name: c.color for c in read_legend(opened, opened.counts()).values()}


def _cell(estimate: Estimate | None, unit: str = "") -> str:
    return "-" if estimate is None else f"{estimate}{unit}"
