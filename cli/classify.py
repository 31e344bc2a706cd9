"""``hsi-geo classify``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import options, reporting, values
from .command_line import command_line
from .help import GroupedCommand
from .printing import print_maps


@click.command(name="classify", cls=GroupedCommand)
@options.scenes
@options.shots(required=True)
@options.out("; for several scenes a folder")
@options.mapping()
@click.option(
    "--save-model",
    type=click.Path(path_type=Path),
    metavar="MODEL.safetensors",
    help="Also write the model, to map other scenes of the sensor with hsi-geo predict or batch.  [default: it is not kept]",
)
@options.weights
@options.trust_shots
@options.cache
@options.seed("map")
@click.option(
    "--report",
    is_flag=True,
    help="Also write MAP_report.html, one page with map, legend, accuracy, and shots that look wrong.",
)
@options.common()
def command(
    scenes: tuple[str, ...],
    shots: tuple[str, ...],
    out: Path | None,
    save_model: Path | None,
    progress: str,
    **given: Any,
) -> None:
    """Map SCENE from a few labelled examples (shots), and estimate the accuracy of the map.

    The map is SCENE_classes.tif beside the scene, or the file given with -o. For several scenes -o
    is a folder. Beside the map are a style for QGIS (.qml), class names (.aux.xml) and a record of
    how it was made (.json).

    For example:

        hsi-geo classify scene.tif --shots labels.gpkg

        hsi-geo classify scene.tif --shots points.gpkg --shots polygons.gpkg

        hsi-geo classify scene.tif --shots labels.gpkg -o map.tif --report

        hsi-geo classify a.tif --shots labels.gpkg --save-model a.safetensors

        hsi-geo classify ENMAP01.ZIP --shots labels.gpkg --class-field landcover
    """
    from hsi_geo.tasks.classify import classify

    opened = values.open_scenes(scenes, given)
    labels = values.read_labels(shots, given, near=[one.hsi.grid for one in opened])
    keywords: dict[str, Any] = {
        "out": out,
        "save_model": save_model,
        "options": values.map_options(given, command=command_line()),
        "compute": values.compute(given),
        "reporter": reporting.reporter(progress),
        **given,
    }
    if len(opened) == 1:
        results = [classify(opened[0], labels, **keywords)]
    else:
        results = classify(opened, labels, **keywords)
    print_maps(results, progress, save_model)
