"""``hsi-geo assess``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options, reporting, values
from .command_line import command_line
from .help import GroupedCommand
from .printing import pairs, table
from .terminal import print_json

if TYPE_CHECKING:
    from hsi_geo.tasks.assessment.results import Assessment


@click.command(name="assess", cls=GroupedCommand)
@click.argument("class_map", metavar="MAP", type=click.Path(path_type=str))
@click.option(
    "--reference",
    required=True,
    multiple=True,
    type=click.Path(path_type=str),
    help="Points, lines or polygons with a class, or a raster of classes, in any CRS; not the shots of the map. Give it again "
    "for each further file.",
)
@options.reading
@click.option(
    "--design",
    type=click.Choice(["simple", "stratified"]),
    help="Only for reference points that are a random sample: of the whole map (simple), or of each "
    "of its classes, or what hsi-geo sample drew (stratified). Estimates accuracy and areas of the whole map.",
)
@click.option(
    "--strata",
    type=click.Path(path_type=str),
    metavar="MAP",
    help="The map that a stratified sample was drawn from, if it is another one. Both maps have to "
    "cover the same land: their areas may differ by 1 %.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=str),
    metavar="REPORT.html",
    help="Also write a report: one HTML page without other files.",
)
@options.overwrite
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object to stdout.")
@options.progress
def command(
    class_map: str,
    reference: tuple[str, ...],
    as_json: bool,
    progress: str,
    **given: Any,
) -> None:
    """Compare MAP with reference labels: accuracies with 95 % intervals.

    Classes are matched by name. Without --design the numbers hold for the reference pixels. With
    it they are estimates for the whole map, and areas are corrected for the map's errors.

    For example:

        hsi-geo assess map.tif --reference survey.gpkg

        hsi-geo assess map.tif --reference sample.gpkg --design stratified
    """
    from hsi_geo.io.labels.purposes import REFERENCE
    from hsi_geo.io.maps.reader import read_map
    from hsi_geo.tasks.assess import assess

    opened = read_map(class_map)
    purpose = REFERENCE.keeping(opened.names.values())
    labels = values.read_labels(reference, given, purpose=purpose, near=[opened.grid])
    found = assess(
        class_map,
        labels,
        command=command_line(),
        reporter=reporting.reporter(progress),
        **given,
    )
    if as_json:
        print_json(found.as_dict(), indent=2)
    else:
        click.echo("\n\n".join(assessment_parts(found)))
    outputs = {} if given["out"] is None else {"report": Path(given["out"])}
    reporting.write_result(progress, outputs, assessment=found.as_dict())


def assessment_parts(found: Assessment) -> list[str]:
    """Tables of an assessment, as they are printed.

    Args:
        found: The assessment.
    """
    parts = [
        pairs(
            [
                ("overall accuracy", f"{_cell(found.oa)} %"),
                ("average accuracy", f"{_cell(found.aa)} %"),
                ("kappa", f"{_cell(found.kappa)} %"),
                ("reference", f"{found.pixels} pixels of {found.features} features"),
                ("left out", ", ".join(found.dropped) or "nothing"),
                ("only in the map", ", ".join(found.only_in_map) or "nothing"),
                ("only in reference", ", ".join(found.only_in_reference) or "nothing"),
            ]
        ),
        table(_class_rows(found)),
    ]
    if found.design is not None:
        parts.append(table(_area_rows(found)))
        more = ", ".join(f"{n} in {name}" for name, n in found.more_places.items())
        parts.append(
            f"{found.further_places} further places would halve the interval of the overall accuracy: {more}"
        )
    parts.append("pixels; rows: map, columns: reference\n" + table(_matrix_rows(found)))
    parts.append(f"in brackets: 95 % interval; {found.method}")
    if found.parents is not None:
        upper = found.parents
        parts += [
            f"of the parents\n\noverall accuracy  {upper.oa} %",
            table(_class_rows(upper)),
            *([table(_area_rows(upper))] if upper.design is not None else []),
            "pixels; rows: map, columns: reference\n" + table(_matrix_rows(upper)),
        ]
    return parts


def _class_rows(found: Assessment) -> list[tuple[str, ...]]:
    rows = [
        (s.name, str(s.mapped), str(s.reference), *(_cell(e) for e in (s.user, s.producer, s.f1)))
        for s in found.scores
    ]
    return [("per cent", "mapped", "reference", "user's", "producer's", "F1"), *rows]


def _area_rows(found: Assessment) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("area", "in the map", "estimated", "standard error")]
    for score in found.scores:
        if score.area is not None:
            rows.append((score.name, *score.area.texts))
    return rows


def _matrix_rows(found: Assessment) -> list[tuple[str, ...]]:
    names = [score.name for score in found.scores]
    rows = zip(names, found.matrix.tolist(), strict=True)
    return [("", *names), *((name, *map(str, counts)) for name, counts in rows)]


def _cell(estimate: object | None) -> str:
    return "-" if estimate is None else str(estimate)
