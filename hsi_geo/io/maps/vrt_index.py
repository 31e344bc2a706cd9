"""Many maps as one: a GDAL virtual mosaic (VRT) over them."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine

from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.maps.class_styles import add_names, rgb
from hsi_geo.io.maps.writer import BLOCK_PX, NO_CLASS, NO_PERCENT
from hsi_geo.io.readers.masks import CONFIDENCE_BAND
from hsi_geo.tiling import Grid


@dataclass(frozen=True, slots=True)
class GeoreferencedMap:
    """A map and its grid.

    Attributes:
        path: Path of the GeoTIFF.
        grid: Pixels of the map.
    """

    path: Path
    grid: Grid


def index_xml(maps: Sequence[GeoreferencedMap], classes: ClassTable, folder: Path) -> str:
    """Write a virtual mosaic (VRT) of maps. Where maps overlap, the first with a class is shown.

    Args:
        maps: Maps of one CRS, not rotated, with rows in the same direction.
        classes: Legend of all maps: their class table, and rejected classes.
        folder: Folder of the VRT; paths in it are relative to that folder.

    Returns:
        Text of the VRT, with the pixel size of the finest map.
    """
    last = max((c.id for c in classes), default=0)
    kind = "Byte" if last <= 255 else "UInt16"
    root, band, whole = _mosaic(maps, kind, NO_CLASS)
    ET.SubElement(band, "ColorInterp").text = "Palette"
    table = ET.SubElement(band, "ColorTable")
    colors = {c.id: c.color for c in classes}
    for value in range(last + 1):
        red, green, blue = map(str, rgb(colors.get(value, "#000000")))
        alpha = "255" if value in colors else "0"
        ET.SubElement(table, "Entry", c1=red, c2=green, c3=blue, c4=alpha)
    add_names(band, classes)
    _add_sources(band, maps, whole, kind, folder, NO_CLASS)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def has_legend(path: Path, classes: ClassTable) -> bool:
    """Whether a mosaic that `index_xml` wrote has the names, colours and parents of a legend.

    Args:
        path: The VRT.
        classes: Legend.
    """
    wanted = ET.Element("VRTRasterBand")
    add_names(wanted, classes)
    return _texts_of_legend(ET.fromstring(path.read_bytes())) == _texts_of_legend(wanted)


def _texts_of_legend(element: ET.Element) -> list[str]:
    return [one.text or "" for one in element.iter() if one.tag in ("Category", "F")]


def percent_xml(maps: Sequence[GeoreferencedMap], folder: Path) -> str:
    """Write a virtual mosaic (VRT) of the confidence of maps, in which they overlap as in `index_xml`.

    Args:
        maps: Rasters of per cent of one CRS, in the order of their maps.
        folder: Folder of the VRT; paths in it are relative to that folder.

    Returns:
        Text of the VRT.
    """
    root, band, whole = _mosaic(maps, "Byte", NO_PERCENT)
    ET.SubElement(band, "Description").text = CONFIDENCE_BAND
    _add_sources(band, maps, whole, "Byte", folder, NO_PERCENT)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _mosaic(
    maps: Sequence[GeoreferencedMap], kind: str, nodata: int
) -> tuple[ET.Element, ET.Element, Grid]:
    """A VRT without sources, its band, and its grid."""
    finest = min((one.grid for one in maps), key=lambda grid: grid.resolution)
    whole = _union([one.grid for one in maps], finest)
    root = ET.Element("VRTDataset", rasterXSize=str(whole.width), rasterYSize=str(whole.height))
    assert whole.crs is not None  # maps without a CRS are not indexed
    # Without a mapping of axes GDAL takes x for the first: longitude or easting.
    ET.SubElement(root, "SRS").text = whole.crs.to_wkt()
    numbers = ", ".join(repr(float(value)) for value in whole.transform.to_gdal())
    ET.SubElement(root, "GeoTransform").text = numbers
    band = ET.SubElement(root, "VRTRasterBand", dataType=kind, band="1")
    ET.SubElement(band, "NoDataValue").text = str(nodata)
    return root, band, whole


def _add_sources(
    band: ET.Element,
    maps: Sequence[GeoreferencedMap],
    whole: Grid,
    kind: str,
    folder: Path,
    nodata: int,
) -> None:
    for one in reversed(maps):  # GDAL shows the last one
        band.append(_source(one, whole, kind, folder, nodata))


def _union(grids: Sequence[Grid], finest: Grid) -> Grid:
    """All grids in one, with the pixels of the finest."""
    rectangles = [_offset_and_size(grid, finest) for grid in grids]
    left, top = (min(one[i] for one in rectangles) for i in (0, 1))
    right, bottom = (max(one[i] + one[i + 2] for one in rectangles) for i in (0, 1))
    first_col, first_row = int(np.floor(left + 1e-3)), int(np.floor(top + 1e-3))
    return Grid(
        int(np.ceil(bottom - 1e-3)) - first_row,
        int(np.ceil(right - 1e-3)) - first_col,
        finest.transform @ Affine.translation(first_col, first_row),
        finest.crs,
    )


def _offset_and_size(grid: Grid, within: Grid) -> tuple[float, float, float, float]:
    """(column, row, width, height) of a grid in the pixels of another."""
    inverse = ~within.transform
    first = inverse @ (grid.transform @ (0, 0))
    last = inverse @ (grid.transform @ (grid.width, grid.height))
    return first[0], first[1], last[0] - first[0], last[1] - first[1]


def _source(one: GeoreferencedMap, whole: Grid, kind: str, folder: Path, nodata: int) -> ET.Element:
    source = ET.Element("ComplexSource")
    name = ET.SubElement(source, "SourceFilename", relativeToVRT="1")
    name.text = Path(os.path.relpath(one.path, folder)).as_posix()
    ET.SubElement(source, "SourceBand").text = "1"
    # With these GDAL opens a map only when its pixels are read.
    height, width = map(str, one.grid.shape)
    ET.SubElement(
        source,
        "SourceProperties",
        RasterXSize=width,
        RasterYSize=height,
        DataType=kind,
        BlockXSize=str(BLOCK_PX),
        BlockYSize=str(BLOCK_PX),
    )
    ET.SubElement(source, "SrcRect", xOff="0", yOff="0", xSize=width, ySize=height)
    keys = ("xOff", "yOff", "xSize", "ySize")
    numbers = (
        f"{value:.6f}".rstrip("0").rstrip(".") for value in _offset_and_size(one.grid, whole)
    )
    ET.SubElement(source, "DstRect", dict(zip(keys, numbers, strict=True)))
    ET.SubElement(source, "NODATA").text = str(nodata)
    return source
