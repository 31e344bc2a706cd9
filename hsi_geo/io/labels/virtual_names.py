"""Class names of a virtual raster (VRT) from the rasters that it shows: GDAL leaves them out when it builds one."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping

import rasterio
from rasterio.errors import RasterioError

from hsi_geo.io.readers.gdal import open_raster

#: Elements of a VRT by which the values of its source become others.
OTHER_VALUES = (
    *("LUT", "ScaleRatio", "ScaleOffset", "Exponent", "PixelFunctionType"),
    "ColorTableComponent",
)

#: Most rasters whose names are compared. A mosaic of more has no names.
MOST_SOURCES = 100

#: Most VRTs in each other. One may name itself.
_NESTED = 8


def names_of_sources(
    band: ET.Element,
    names_in: Callable[[rasterio.DatasetReader, tuple[str, ...]], Mapping[int, str]],
    path: str,
    outer: tuple[str, ...] = (),
) -> dict[int, str]:
    """Class names of the rasters that a band of a VRT shows.

    Args:
        band: Description of the band, with absolute paths.
        names_in: Class names of an open raster, by value, from the raster and the real paths of the VRTs that show it.
        path: Name of the VRT.
        outer: Real paths of the VRTs that show this one, outermost first.

    Returns:
        Name by value; empty if the VRT changes values or shows itself, or its rasters have no names, contradict each
        other, or are too many.
    """
    outer = (*outer, os.path.realpath(path))
    if len(outer) > _NESTED or any(
        band.find(f".//{element}") is not None for element in OTHER_VALUES
    ):
        return {}
    shown = dict.fromkeys(one.text or "" for one in band.iterfind("*/SourceFilename"))
    if len(shown) > MOST_SOURCES or any(os.path.realpath(source) in outer for source in shown):
        return {}
    found: dict[int, str] = {}
    for source in shown:
        try:
            with open_raster(source) as file:
                own = names_in(file, outer)
        except RasterioError:
            return {}
        if not own or any(found.get(value, name) != name for value, name in own.items()):
            return {}
        found |= own
    return found
