"""``hsi-geo sample``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import options, reporting
from .help import GroupedCommand
from .printing import pairs, table
from .terminal import print_line


@click.command(name="sample", cls=GroupedCommand)
@click.argument("class_map", metavar="MAP", type=click.Path(path_type=str))
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="GeoPackage of places to write (.gpkg).",
)
@click.option(
    "--design",
    type=click.Choice(["stratified", "simple"]),
    default="stratified",
    show_default=True,
    help="Draw places at random in each class of the map, or in the whole map.",
)
@click.option(
    "--target-se",
    type=float,
    metavar="SHARE",
    help="Standard error of the overall accuracy that is wanted, such as 0.02: the 95 % interval is then 4 points up and "
    "down. It gives the number of places.  [default: 0.02]",
)
@click.option(
    "-n", "--count", type=click.IntRange(2), help="Number of places, instead of a standard error."
)
@click.option(
    "--least",
    type=click.IntRange(2),
    help="Least number of places of a class in a stratified sample. For areas of rare classes give 50 or more.  "
    "[default: 20]",
)
@click.option(
    "--expected",
    type=float,
    metavar="SHARE",
    help="Share of the pixels that are expected to be right.  [default: the mean confidence of each class if "
    "MAP_confidence.tif is beside the map, else 0.8]",
)
@options.seed("places")
@options.overwrite
@options.progress
def command(class_map: str, out: Path, progress: str, **given: Any) -> None:
    """Draw a random sample of places to check MAP by.

    Open the file in QGIS or QField, and choose the class of each place in its form. The form does not show the map's
    class. Then give the file to hsi-geo assess. It remembers how it was drawn. For a map of change of hsi-geo compare the
    form asks for the class of both dates.

    For example:

        hsi-geo sample map.tif -o visit.gpkg

        hsi-geo sample map.tif --target-se 0.03 -o visit.gpkg

        hsi-geo assess map.tif --reference visit.gpkg --design stratified
    """
    from hsi_geo.tasks.sample import sample

    found = sample(class_map, out, reporter=reporting.reporter(progress), **given)
    click.echo(pairs([("places", out)]))
    click.echo()
    rows = [
        (one.name, str(one.pixels), str(one.places), f"{100 * one.expected:.0f} %")
        for one in found.strata
    ]
    click.echo(table([("stratum", "pixels", "places", "expected accuracy"), *rows]))
    click.echo()
    print_line(
        f"{found.places} places; expected standard error of the overall accuracy: {100 * found.expected_se:.2f} points"
    )
    reporting.write_result(
        progress, {"places": out}, count=found.places, expected_se=found.expected_se
    )
