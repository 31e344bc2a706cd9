"""``hsi-geo zones``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hsi_geo.text import number_text

from . import options, reporting, values
from .help import GroupedCommand
from .printing import pairs, table

if TYPE_CHECKING:
    from hsi_geo.io.maps.zone_areas import ZoneArea


@click.command(name="zones", cls=GroupedCommand)
@click.argument("class_map", metavar="MAP", type=click.Path(path_type=str))
@click.option(
    "--zones",
    required=True,
    type=click.Path(path_type=str),
    metavar="POLYGONS",
    help="Vector file with the zones, in any CRS. They may overlap.",
)
@click.option(
    "--zone-field",
    metavar="FIELD",
    help="Field with the names of zones; zones of one name are one.  [default: the first of zone, zone_name, "
    "name, zone_id, label and id that tells them apart, else the zones are numbered]",
)
@click.option(
    "--zone-layer", metavar="LAYER", help="Layer of the zones; needed only for a file with several."
)
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="TABLE",
    help="Table to write: CSV (.csv), or GeoPackage (.gpkg) with the zones and the table areas.",
)
@click.option(
    "--reference",
    multiple=True,
    type=click.Path(path_type=str),
    help="Points with a class that were drawn at random, as hsi-geo sample draws them. They correct the areas.  "
    "[default: areas as mapped, with the errors of held-out shots]",
)
@options.reading
@click.option(
    "--design",
    type=click.Choice(["simple", "stratified"]),
    help="How the points of --reference were drawn: in the whole map (simple), or in each of its classes, or by hsi-geo sample "
    "(stratified).",
)
@click.option(
    "--strata",
    type=click.Path(path_type=str),
    metavar="MAP",
    help="The map that a stratified sample was drawn from, if it is another one.",
)
@options.overwrite
@options.progress
def command(class_map: str, reference: tuple[str, ...], progress: str, **given: Any) -> None:
    """Write the area of each class of MAP in each zone, with standard errors.

    MAP is a class map of hsi-geo or of any other program, or the index.vrt of a batch. With --reference the areas are corrected
    for the errors of the map. Without it they are those of the map, and the error is a hint from held-out shots.

    For example:

        hsi-geo zones map.tif --zones communes.gpkg -o areas.csv

        hsi-geo zones map.tif --zones z.gpkg -o areas.gpkg --zone-field name
    """
    from hsi_geo.io.labels.purposes import REFERENCE
    from hsi_geo.io.maps.reader import read_map
    from hsi_geo.tasks.zones import zones

    if reference:
        opened = read_map(class_map)
        purpose = REFERENCE.keeping(opened.names.values())
        given["reference"] = values.read_labels(
            reference, given, purpose=purpose, near=[opened.grid]
        )
    else:
        for name in ("class_field", "layer", "classes", "all_touched"):
            given.pop(name)
    file, out = given.pop("zones"), given.pop("out")
    found = zones(class_map, file, out, reporter=reporting.reporter(progress), **given)
    outputs = {"zones": out}
    click.echo(pairs([*outputs.items(), ("errors by", found.basis or "nothing: they are unknown")]))
    click.echo()
    click.echo(table(_rows(found.areas)))
    reporting.write_result(
        progress, outputs, areas=[dataclasses.asdict(one) for one in found.areas], basis=found.basis
    )


def _rows(areas: tuple[ZoneArea, ...]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        ("zone", "class", "pixels", "mapped (ha)", "area (ha)", "standard error", "share (%)")
    ]
    for one in areas:
        rows.append(
            (
                one.zone,
                one.name,
                str(one.pixels),
                _cell(one.mapped_ha),
                _cell(one.hectares),
                _cell(one.hectares_se),
                _cell(one.percent, 1),
            )
        )
    return rows


def _cell(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else number_text(value, digits)
