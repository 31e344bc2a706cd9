"""Coordinate reference systems as scenes state them."""

from __future__ import annotations

from pyproj import CRS
from pyproj.exceptions import CRSError

from hsi_geo.errors import SceneError
from hsi_geo.io.readers.base import plain


def parse_crs(text: str, name: str) -> CRS:
    """Parse a coordinate reference system.

    Args:
        text: WKT, or the code of an authority ("EPSG:32633").
        name: Name of the scene, for messages.

    Raises:
        SceneError: If PROJ does not know it.

    Example:
        >>> parse_crs("EPSG:32633", "scene.tif").name
        'WGS 84 / UTM zone 33N'
    """
    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise SceneError(
            f"scene '{name}' has a coordinate reference system that PROJ does not know "
            f"({plain(error)})",
            hint="assign a known one with gdal_edit.py -a_srs",
        ) from error
