"""``hsi-geo polygons``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hsi_geo.text import number_text

from . import options, reporting
from .help import GroupedCommand
from .printing import pairs, table

if TYPE_CHECKING:
    from hsi_geo.tasks.polygons import PolygonsResult


@click.command(name="polygons", cls=GroupedCommand)
@click.argument("class_map", metavar="MAP", type=click.Path(path_type=str))
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Layer to write: GeoPackage (.gpkg), FlatGeobuf (.fgb) or GeoParquet (.parquet).",
)
@click.option(
    "--confidence",
    type=click.Path(path_type=str),
    metavar="RASTER",
    help="Raster of per cent on the map's pixels, whose mean each polygon gets.  [default: MAP_confidence.tif, if there is one]",
)
@options.smooth
@options.overwrite
@options.progress
def command(class_map: str, out: Path, progress: str, **given: Any) -> None:
    """Write the patches of MAP as polygons, one for all connected pixels of a class.

    MAP is a class map of hsi-geo or of any other program, or the index.vrt of a batch: polygons then cross the
    edges of tiles. Each polygon has the class, its name, hectares, pixels and mean confidence. The layer is coloured as the map
    when QGIS opens it.

    For example:

        hsi-geo polygons map.tif -o map.gpkg

        hsi-geo polygons maps/index.vrt -o all.fgb --smooth 3
    """
    from hsi_geo.tasks.polygons import polygons

    found = polygons(class_map, out, reporter=reporting.reporter(progress), **given)
    outputs = {"polygons": out}
    click.echo(pairs(list(outputs.items())))
    click.echo()
    click.echo(table(_rows(found)))
    reporting.write_result(progress, outputs, count=found.count)


def _rows(found: PolygonsResult) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("class", "value", "polygons", "pixels", "area (ha)")]
    for value, one in found.counts.items():
        hectares = "" if one.hectares is None else number_text(one.hectares, 2)
        name = found.classes[value].name
        rows.append((name, str(value), str(one.polygons), str(one.pixels), hectares))
    return rows
