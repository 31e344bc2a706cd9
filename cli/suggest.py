"""``hsi-geo suggest``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import options, reporting, values
from .help import GroupedCommand
from .printing import pairs, table


@click.command(name="suggest", cls=GroupedCommand)
@options.scene
@click.option(
    "--model",
    required=True,
    type=click.Path(path_type=Path),
    help="Model file (.safetensors) that hsi-geo adapt wrote.",
)
@click.option(
    "-n",
    "--count",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="Number of places to suggest.",
)
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="GeoPackage of points to write (.gpkg).",
)
@options.rescale
@options.aoi
@options.max_memory
@options.seed("places")
@options.common()
def command(scene: str, model: Path, out: Path, progress: str, **given: Any) -> None:
    """Suggest places in SCENE where the next shots would help most.

    The spectra are clustered, and each cluster gives one place: more of them where the model is
    uncertain. Points have the predicted class and its confidence, the most useful first. Open them
    in QGIS, fill in the field class, delete points whose class you do not know, and give them to
    hsi-geo classify together with the earlier shots.

    For example:

        hsi-geo suggest scene.tif --model model.safetensors -n 10 -o next.gpkg
    """
    from hsi_geo.tasks.suggest import suggest

    (opened,) = values.open_scenes([scene], given)
    found = suggest(
        opened,
        model,
        out=out,
        compute=values.compute(given),
        reporter=reporting.reporter(progress),
        **given,
    )
    click.echo(pairs([("points", out)]))
    click.echo()
    rows = [
        (str(p.rank), p.guess, f"{p.confidence} %", f"{p.x:.10g}", f"{p.y:.10g}")
        for p in found.points
    ]
    click.echo(table([("rank", "guess", "confidence", "x", "y"), *rows]))
    reporting.write_result(progress, {"points": out}, count=len(rows))
