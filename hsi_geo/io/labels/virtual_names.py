"""Class names of a virtual raster (VRT) from the rasters that it shows: GDAL leaves them out when it builds one."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping

import rasterio
from rasterio.errors import RasterioError

#: Elements of a VRT by which the values of its source become others.
OTHER_VALUES = (
    *("LUT", "ScaleRatio", "ScaleOffset", "Exponent", "PixelFunctionType"),
    "ColorTableComponent",
)

#: Most rasters whose names are compared.
MOST_SOURCES = 20


def names_of_sources(
    band: ET.Element, names_in: Callable[[rasterio.DatasetReader], Mapping[int, str]]
) -> dict[int, str]:
    """Class names of the rasters that a band of a VRT shows.

    Args:
        band: Description of the band, with absolute paths.
        names_in: Class names of an open raster, by value.

    Returns:
        Name by value; empty if the VRT changes values, or its rasters have no names or contradict each other.
    """
    if any(band.find(f".//{element}") is not None for element in OTHER_VALUES):
        return {}
    shown = dict.fromkeys(one.text or "" for one in band.iterfind("*/SourceFilename"))
    found: dict[int, str] = {}
    for path in list(shown)[:MOST_SOURCES]:
        try:
            with rasterio.open(path) as file:
                own = names_in(file)
        except RasterioError:
            return {}
        if not own or any(found.get(value, name) != name for value, name in own.items()):
            return {}
        found |= own
    return found
