"""Small pictures of scenes and maps of any size."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import xarray as xr

from hsi_geo.arrays import UInt8Array
from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.maps.reader import read_thumbnail
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.io.reports.figures import FALSE_COLOUR_NM, draw_map, false_colour
from hsi_geo.io.scenes.properties import bands_of, files_of, select_good_bands
from hsi_geo.io.scenes.scene import SomeScene, open_scene
from hsi_geo.io.scenes.windows import physical_values

#: Longest side of a picture in pixels.
SIDE_PX = 900


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


def preview(scene: xr.DataArray) -> UInt8Array:
    """Read a scene in false colour at a lower resolution.

    Args:
        scene: (C, H, W) scene.

    Returns:
        (h, w, 3) colours from 0 to 255, h and w at most `SIDE_PX`.
    """
    view = select_good_bands(scene)
    centres = bands_of(view).centres_nm
    chosen = sorted({int(np.abs(centres - nm).argmin()) for nm in FALSE_COLOUR_NM})
    three = view.isel(band=chosen)
    step = max(1, -(-max(scene.shape[-2:]) // SIDE_PX))
    if step == 1:
        stored = three.values
    else:  # row by row, since a strided read would load the rows between as well
        rows = range(0, scene.shape[-2], step)
        stored = np.concatenate([three[:, r : r + 1, ::step].values for r in rows], axis=1)
    image, valid, _ = physical_values(stored, three)
    return false_colour(image, centres[chosen], valid)
