"""``hsi-geo predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import options, reporting
from .printing import print_maps


@click.command(name="predict")
@options.scene
@click.option(
    "--model", required=True, type=click.Path(path_type=Path), help="Made by hsi-geo adapt."
)
@options.out
@options.map_options()
@options.common()
def command(
    scene: str,
    model: Path,
    out: Path | None,
    progress: str,
    aoi: str | None,
    confidence: bool,
    probabilities: bool,
    max_memory: int,
    overwrite: bool,
    **how: Any,
) -> None:
    """Map SCENE with an adapted model.

    The map is SCENE_classes.tif beside the scene unless -o says otherwise.
    """
    from hsi_geo.tasks.predict import MapOptions, predict

    what = MapOptions(confidence, probabilities, aoi, overwrite, max_memory)
    reporter = reporting.reporter(progress)
    result = predict(scene, model, out=out, options=what, reporter=reporter, **how)
    print_maps([result], progress)
