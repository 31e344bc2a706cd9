"""Coordinate reference systems that a GeoTIFF cannot hold, such as longitudes and latitudes with a rotated pole."""

from __future__ import annotations

from functools import lru_cache

import rasterio
from pyproj import CRS
from rasterio.io import MemoryFile
from rasterio.transform import from_origin


def lost_crs_warning(crs: CRS | None, what: str) -> str:
    """Say that a GeoTIFF will have no CRS.

    Args:
        crs: CRS of the scene.
        what: What is written, for the message ("map").

    Returns:
        A clause that follows the name of the scene; empty if there is no CRS, or a GeoTIFF can hold it.

    Examples:
        >>> lost_crs_warning(CRS.from_epsg(32633), "map")
        ''
    """
    if crs is None or _is_held(crs.to_wkt()):
        return ""
    return (
        f"has a coordinate reference system that a GeoTIFF cannot hold ({crs.name}): its {what} has none; give --grid to "
        "read it in another one"
    )


@lru_cache(maxsize=32)
def _is_held(wkt: str) -> bool:
    """Whether a GeoTIFF gives a CRS back, without the side file in which GDAL keeps others."""
    place = {"crs": wkt, "transform": from_origin(1.0, 2.0, 0.5, 0.5)}
    with rasterio.Env(GDAL_PAM_ENABLED="NO"), MemoryFile() as memory:
        with memory.open(driver="GTiff", height=1, width=1, count=1, dtype="uint8", **place):
            pass
        with memory.open() as file:
            return file.crs is not None
