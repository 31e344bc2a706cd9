"""A picture of a scene beside its map."""

from __future__ import annotations

import os
from pathlib import Path

from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.maps.reader import read_thumbnail
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.io.reports.figures import draw_map
from hsi_geo.io.scenes.previews import SIDE_PX, preview
from hsi_geo.io.scenes.properties import files_of
from hsi_geo.io.scenes.scene import SomeScene, open_scene


def draw_scene_and_map(
    scene: SomeScene,
    class_map: str | os.PathLike[str],
    classes: ClassTable,
    out: str | os.PathLike[str],
    *,
    title: str = "",
) -> Path:
    """Draw a scene in false colour beside its map, with a legend.

    Args:
        scene: Path of the scene, or a scene that was opened before.
        class_map: Path of its map.
        classes: Class table of the map.
        out: PNG to write; an existing file is replaced.
        title: Title of the figure.

    Returns:
        Path of the PNG.
    """
    path = Path(out)
    opened = open_scene(scene)
    with atomic_outputs([path], overwrite=True, inputs=[*files_of(opened), class_map]) as where:
        draw_map(
            where[path],
            scene=preview(opened),
            predicted=read_thumbnail(class_map, SIDE_PX),
            classes=classes,
            title=title,
        )
    return path
