"""Coordinate reference systems that a GeoTIFF cannot hold, such as longitudes and latitudes with a rotated pole."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import rasterio
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from rasterio.io import MemoryFile
from rasterio.transform import from_origin

from hsi_geo.tiling import Grid

#: Pixels by which places may differ: transformations are not exact.
_TOLERANCE_PX = 0.1


def lost_crs_warning(grid: Grid, what: str) -> str:
    """Say that a GeoTIFF will have no CRS, or another one in which it lies elsewhere.

    Args:
        grid: Pixels of the scene.
        what: What is written, for the message ("map").

    Returns:
        A clause that follows the name of the scene; empty if there is no CRS, or a GeoTIFF can hold it.

    Examples:
        >>> lost_crs_warning(Grid(5, 7, from_origin(3e5, 5e6, 30, 30), CRS.from_epsg(32633)), "map")
        ''
    """
    if grid.crs is None:
        return ""
    held = _held(grid.crs.to_wkt())
    if held is None:
        lost = f"that a GeoTIFF cannot hold ({grid.crs.name}): its {what} has none"
    elif _is_moved(grid, held):
        lost = f"that a GeoTIFF holds as another one ({grid.crs.name}): its {what} lies elsewhere"
    else:
        return ""
    return f"has a coordinate reference system {lost}; give --grid to read it in another one"


@lru_cache(maxsize=32)
def _held(wkt: str) -> CRS | None:
    """The CRS that a GeoTIFF gives back, without the side file in which GDAL keeps others; None if it has none."""
    place = {"crs": wkt, "transform": from_origin(1.0, 2.0, 0.5, 0.5)}
    with rasterio.Env(GDAL_PAM_ENABLED="NO"), MemoryFile() as memory:
        with memory.open(driver="GTiff", height=1, width=1, count=1, dtype="uint8", **place):
            pass
        with memory.open() as file:
            return None if file.crs is None else CRS.from_wkt(file.crs.to_wkt())


def _is_moved(grid: Grid, held: CRS) -> bool:
    """Whether the corners of the pixels lie elsewhere in a CRS than in their own.

    Names and parameters may differ without that.
    """
    if grid.crs is None or held.equals(grid.crs, ignore_axis_order=True):
        return False
    corners = ((0, 0), (grid.width, 0), (grid.width, grid.height), (0, grid.height))
    x, y = np.array([grid.transform @ corner for corner in corners]).T
    try:
        on_earth = Transformer.from_crs(held, 4326, always_xy=True).transform(x, y)
        own = Transformer.from_crs(4326, grid.crs, always_xy=True).transform(*on_earth)
    except ProjError:  # not known where on the Earth, if on it
        return False
    known = np.isfinite(own).all(axis=0)
    shift = np.hypot(own[0] - x, own[1] - y)[known]
    return bool((shift > _TOLERANCE_PX * math.sqrt(abs(grid.transform.determinant))).any())
