"""``hsi-geo predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import options, reporting, values
from .help import GroupedCommand
from .printing import print_maps


@click.command(name="predict", cls=GroupedCommand)
@options.scene
@click.option(
    "--model",
    required=True,
    type=click.Path(path_type=Path),
    help="Model file (.safetensors) that hsi-geo adapt wrote.",
)
@options.out()
@click.option(
    "--restat",
    is_flag=True,
    help="Compute the band statistics from this scene: only for a whole scene of another date or "
    "sensor, never for a tile.",
)
@options.rescale
@options.mapping()
@options.common()
def command(
    scene: str,
    model: Path,
    out: Path | None,
    progress: str,
    **given: Any,
) -> None:
    """Map SCENE with an adapted model.

    The map is SCENE_classes.tif beside the scene, or the file given with -o.

    For example:

        hsi-geo predict other.tif --model model.safetensors

        hsi-geo predict other.tif --model model.safetensors --aoi fields.gpkg
    """
    from hsi_geo.tasks.predict import predict

    (opened,) = values.open_scenes([scene], given)
    result = predict(
        opened,
        model,
        out=out,
        options=values.map_options(given),
        compute=values.compute(given),
        reporter=reporting.reporter(progress),
        **given,
    )
    print_maps([result], progress)
