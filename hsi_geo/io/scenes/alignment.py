"""Scenes that are used together: upright, in one CRS, with one pixel size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from hsi_geo.errors import SceneError
from hsi_geo.io.scenes.properties import grid_of, name_of, require_upright
from hsi_geo.tiling import Grid


def aligned_grids(scenes: Sequence[xr.DataArray]) -> list[Grid]:
    """Grid of each scene, where all have one coordinate reference system and pixel size.

    Args:
        scenes: (band, y, x) arrays, one or more.

    Raises:
        SceneError: If a scene's grid is rotated, or scenes differ in CRS or pixel size.
    """
    for scene in scenes:
        require_upright(scene)
    grids = [grid_of(scene) for scene in scenes]
    for scene, grid in zip(scenes, grids, strict=True):
        _require_same(grid, grids[0], scene, scenes[0])
    return grids


def _require_same(grid: Grid, first: Grid, scene: xr.DataArray, other: xr.DataArray) -> None:
    if grid.has_crs_of(first) and np.allclose(grid.resolution, first.resolution, rtol=1e-6):
        return
    raise SceneError(
        f"scene '{name_of(scene)}' and scene '{name_of(other)}' differ in coordinate reference "
        "system or pixel size",
        hint="take them one by one, or warp one to the other's grid with gdalwarp",
    )
