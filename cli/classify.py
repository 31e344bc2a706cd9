"""``hsi-geo classify``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import options, reporting
from .again import command_line
from .printing import print_maps


@click.command(name="classify")
@options.scenes
@options.shots(required=True)
@options.out
@options.map_options()
@options.weights
@options.seed
@click.option(
    "--report",
    is_flag=True,
    help="Also write MAP_report.html, and estimate the accuracy by adapting anew without each fifth "
    "of the shots: takes up to six times as long.",
)
@options.common()
def command(
    scenes: tuple[str, ...],
    shots: str,
    out: Path | None,
    progress: str,
    **how: Any,
) -> None:
    """Map SCENE from a few shots: adapt a model, map with it, estimate its accuracy.

    The map is SCENE_classes.tif beside the scene unless -o says otherwise; for several scenes -o
    is a folder. With the map come a style for QGIS (.qml), names (.aux.xml) and what made it
    (.json).
    """
    from hsi_geo.tasks.classify import classify, classify_scenes

    labels = options.styled(shots, how)
    how["command"] = command_line()
    how["reporter"] = reporting.reporter(progress)
    if len(scenes) == 1:
        results = [classify(scenes[0], labels, out=out, **how)]
    else:
        results = classify_scenes(scenes, labels, out=out, **how)
    print_maps(results, progress)
