"""``hsi-geo convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import options, reporting, values
from .help import GroupedCommand
from .printing import pairs

#: Choices of --composite: names of the library, with hyphens.
_COMPOSITES = ("auto", "true-colour", "colour-infrared", "short-wave-infrared")


@click.command(name="convert", cls=GroupedCommand)
@options.scene
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="The raster: .tif is a copy, .vrt a small file that refers to SCENE. Another ending gets "
    ".vrt where GDAL reads SCENE, else .tif.",
)
@click.option(
    "--bands",
    type=click.Choice(["all", "shown"]),
    default="all",
    show_default=True,
    help="shown: the bands of the composite only.",
)
@click.option(
    "--composite",
    type=click.Choice(_COMPOSITES),
    default="auto",
    show_default=True,
    help="Bands to show; auto takes the first that SCENE has the bands for.",
)
@options.wavelengths
@click.option(
    "--mask",
    metavar="auto|none|FLAGS|FILE",
    default="none",
    show_default=True,
    help="Pixels to write as missing, in a copy; as for hsi-geo classify.",
)
@options.grid
@options.asset
@options.follow_links
@options.overwrite
@options.progress
def command(scene: str, composite: str, progress: str, **given: Any) -> None:
    """Write SCENE as a raster that QGIS and other programs open.

    The raster has SCENE's map grid; a swath is put onto one (--grid). Names
    and tags of the bands hold their wavelengths. The values stay as they are.

    For example:

        hsi-geo convert EMIT_L2A_RFL.nc -o scene.tif
    """
    from hsi_geo.tasks.convert import convert

    values.take_grid(given)
    wanted = None if composite == "auto" else _named(composite)
    made = convert(scene, composite=wanted, reporter=reporting.reporter(progress), **given)
    shown = made.composite
    bands = ", ".join(
        f"{number} ({nm:.0f} nm)" for number, nm in zip(shown.bands, shown.centres_nm, strict=True)
    )
    click.echo(
        pairs(
            [
                ("raster", made.path),
                ("pixels", "a copy" if made.is_copy else "in the scene's own file"),
                ("shows", f"{shown.name}: bands {bands}"),
            ]
        )
    )
    reporting.write_result(progress, {"raster": made.path}, **made.as_dict())


def _named(composite: str) -> str:
    return composite.replace("-wave", "_wave").replace("-", " ").replace("_", "-")
