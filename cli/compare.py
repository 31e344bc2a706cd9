"""``hsi-geo compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hsi_geo.text import number_text

from . import options, reporting
from .assess import assessment_parts
from .command_line import command_line
from .help import GroupedCommand
from .printing import files, table

if TYPE_CHECKING:
    from hsi_geo.tasks.change.results import Comparison


@click.command(name="compare", cls=GroupedCommand)
@click.argument("old", metavar="OLD", type=click.Path(path_type=str))
@click.argument("new", metavar="NEW", type=click.Path(path_type=str))
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="GeoTIFF of changes to write, CHANGE.tif; or its polygons, CHANGE.gpkg, CHANGE.fgb or CHANGE.parquet, with CHANGE.tif "
    "beside them.",
)
@click.option(
    "--resample",
    is_flag=True,
    help="Put NEW on the pixels of OLD, by the nearest pixel. Without it maps of different pixels are refused.",
)
@click.option(
    "--with-rejected",
    is_flag=True,
    help="Compare rejected pixels as well: 'unlike any shot' and 'too uncertain' are then classes of CHANGE.tif. They never count "
    "as changed land. Without it they are left out.",
)
@click.option(
    "--polygons",
    is_flag=True,
    help="Also write CHANGE_polygons.gpkg: each patch that changed as a polygon, with both classes, hectares and confidence.",
)
@options.smooth
@click.option(
    "--report",
    is_flag=True,
    help="Also write CHANGE_report.html, one page with both maps, the matrix and the largest changes.",
)
@click.option(
    "--reference",
    type=click.Path(path_type=str),
    help="Places whose class is known at both dates. With --design, areas of change are estimated with standard errors.",
)
@click.option(
    "--old-field",
    metavar="FIELD",
    help="Field of the reference with the class at the date of OLD.  [default: class_old]",
)
@click.option(
    "--new-field",
    metavar="FIELD",
    help="Field of the reference with the class at the date of NEW.  [default: class_new]",
)
@click.option(
    "--design",
    type=click.Choice(["simple", "stratified"]),
    help="Only for a reference that is a random sample: of the whole map (simple), or of each kind of change, or what "
    "hsi-geo sample drew (stratified).",
)
@options.overwrite
@options.progress
def command(old: str, new: str, progress: str, **given: Any) -> None:
    """Compare two class maps of one place: what changed, where, and how surely.

    Classes are matched by name. CHANGE.tif has a class for each pair: 302 is class 3 of OLD that became class 2.
    If both maps have their confidence beside them, CHANGE_confidence.tif has that of each change.

    For example:

        hsi-geo compare map_2020.tif map_2025.tif -o change.tif --report

        hsi-geo sample change.tif -o visit.gpkg

        hsi-geo compare a.tif b.tif -o c.tif --reference visit.gpkg
    """
    from hsi_geo.tasks.compare import compare

    found = compare(
        old, new, command=command_line(), reporter=reporting.reporter(progress), **given
    )
    assert found.paths is not None  # it was written
    outputs = found.paths.as_dict()
    click.echo(files(outputs))
    click.echo()
    click.echo("\n\n".join(_parts(found)))
    reporting.write_result(progress, outputs, comparison=found.as_dict())


def _parts(found: Comparison) -> list[str]:
    unit = "pixels" if found.matrix.hectares is None else "hectares"
    parts = [f"{unit}; rows: old map, columns: new map\n" + table(_matrix_rows(found))]
    changed = 100 * found.matrix.changed_share
    lines = [f"changed: {changed:.2f} % of what both maps show"]
    if any(found.rejected):
        old, new = found.rejected
        how = "compared, not counted as changed" if found.classes.rejected else "not compared"
        lines.append(f"rejected, {how}: {old} pixels of the old map, {new} of the new one")
    for names, where in ((found.only_in_old, "old"), (found.only_in_new, "new")):
        if names:
            lines.append(f"only in the {where} map: {', '.join(names)}")
    if found.matrix.uncompared:
        lines.append(f"not compared: {found.matrix.uncompared} pixels that one map gives no class")
    parts.append("\n".join(lines))
    if found.changes:
        parts.append(table(_change_rows(found)))
    if found.assessment is not None:
        parts += assessment_parts(found.assessment)
    return parts


def _matrix_rows(found: Comparison) -> list[tuple[str, ...]]:
    names, hectares = found.classes.names, found.matrix.hectares
    if hectares is None:
        cells = [[str(count) for count in row] for row in found.matrix.pixels.tolist()]
    else:
        cells = [[number_text(area, 2) for area in row] for row in hectares.tolist()]
    return [("", *names), *((name, *row) for name, row in zip(names, cells, strict=True))]


def _change_rows(found: Comparison) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("change", "id", "pixels", "area (ha)", "confidence")]
    for one in found.changes:
        hectares = "" if one.hectares is None else number_text(one.hectares, 2)
        confidence = "-" if one.confidence is None else f"{one.confidence:.0f} %"
        rows.append((one.name, str(one.id), str(one.pixels), hectares, confidence))
    return rows
