"""Many maps as one: a GDAL mosaic over them, and the area that each class covers."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.windows
from affine import Affine
from pyproj import Geod
from rasterio.errors import RasterioError

from hsi_geo.errors import MapError
from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.maps.writer import BLOCK_PX, NO_CLASS, add_names, rgb
from hsi_geo.io.readers.raster import quiet_gdal
from hsi_geo.tiling import Grid, Window, blocks


@dataclass(frozen=True, slots=True)
class GeoreferencedMap:
    """A map and its pixels.

    Attributes:
        path: The GeoTIFF.
        grid: Its pixels.
    """

    path: Path
    grid: Grid


def index_xml(maps: Sequence[GeoreferencedMap], classes: ClassTable, folder: Path) -> str:
    """A VRT over maps of one CRS; where maps overlap, the first that has a class shows.

    Args:
        maps: Upright, and all with rows in the same direction.
        classes: Of all maps.
        folder: That the VRT will lie in; paths are relative to it.

    Returns:
        The VRT, with the pixel size of the finest map.
    """
    finest = min((one.grid for one in maps), key=lambda grid: grid.resolution)
    whole = _union([one.grid for one in maps], finest)
    root = ET.Element("VRTDataset", rasterXSize=str(whole.width), rasterYSize=str(whole.height))
    assert whole.crs is not None  # maps without one are in no index
    ET.SubElement(root, "SRS", dataAxisToSRSAxisMapping="1,2").text = whole.crs.to_wkt()
    numbers = ", ".join(repr(float(value)) for value in whole.transform.to_gdal())
    ET.SubElement(root, "GeoTransform").text = numbers
    kind = "Byte" if len(classes) <= 255 else "UInt16"
    band = ET.SubElement(root, "VRTRasterBand", dataType=kind, band="1")
    ET.SubElement(band, "NoDataValue").text = str(NO_CLASS)
    ET.SubElement(band, "ColorInterp").text = "Palette"
    table = ET.SubElement(band, "ColorTable")
    for color, alpha in [("#000000", 0), *((c.color, 255) for c in classes)]:
        red, green, blue = map(str, rgb(color))
        ET.SubElement(table, "Entry", c1=red, c2=green, c3=blue, c4=str(alpha))
    add_names(band, classes)
    for one in reversed(maps):  # GDAL lets the last one show
        band.append(_source(one, whole, kind, folder))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _union(grids: Sequence[Grid], finest: Grid) -> Grid:
    """All grids in one, with the pixels of the finest."""
    places = [_place(grid, finest) for grid in grids]
    left, top = (min(place[i] for place in places) for i in (0, 1))
    right, bottom = (max(place[i] + place[i + 2] for place in places) for i in (0, 1))
    first_col, first_row = int(np.floor(left + 1e-3)), int(np.floor(top + 1e-3))
    return Grid(
        int(np.ceil(bottom - 1e-3)) - first_row,
        int(np.ceil(right - 1e-3)) - first_col,
        finest.transform @ Affine.translation(first_col, first_row),
        finest.crs,
    )


def _place(grid: Grid, within: Grid) -> tuple[float, float, float, float]:
    """(column, row, width, height) of a grid in the pixels of another."""
    inverse = ~within.transform
    first = inverse @ (grid.transform @ (0, 0))
    last = inverse @ (grid.transform @ (grid.width, grid.height))
    return first[0], first[1], last[0] - first[0], last[1] - first[1]


def _source(one: GeoreferencedMap, whole: Grid, kind: str, folder: Path) -> ET.Element:
    source = ET.Element("ComplexSource")
    name = ET.SubElement(source, "SourceFilename", relativeToVRT="1")
    name.text = Path(os.path.relpath(one.path, folder)).as_posix()
    ET.SubElement(source, "SourceBand").text = "1"
    # With these GDAL opens a map only when its pixels are asked for.
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
    place = (f"{value:.6f}".rstrip("0").rstrip(".") for value in _place(one.grid, whole))
    ET.SubElement(source, "DstRect", dict(zip(keys, place, strict=True)))
    ET.SubElement(source, "NODATA").text = str(NO_CLASS)
    return source


# Areas ----------------------------------------------------------------------------------------


def class_areas(
    one: GeoreferencedMap, classes: int, before: Sequence[GeoreferencedMap]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """How much of each class a map adds to those before it.

    Args:
        one: The map.
        classes: K.
        before: Maps of the same CRS; where they have a class already, nothing is added.

    Returns:
        pixels: (K,) by class.
        hectares: (K,), NaN if the CRS does not tell the size of a pixel.
    """
    pixels, hectares = np.zeros(classes, np.int64), np.zeros(classes)
    of_row = row_hectares(one.grid)
    with _reading(one.path) as file:
        for block in blocks(one.grid.height, one.grid.width, BLOCK_PX, one.grid.width):
            ids = _ids(file, block)
            for other in before:
                ids[_has_class(other, one.grid, block)] = NO_CLASS
            cells = np.arange(block.height)[:, None] * (classes + 1) + ids
            counted = np.bincount(cells.ravel(), minlength=block.height * (classes + 1))
            counts = counted.reshape(block.height, classes + 1)
            pixels += counts[:, 1:].sum(axis=0)
            hectares += of_row[block.slices[0]] @ counts[:, 1:]
    return pixels, hectares


def row_hectares(grid: Grid) -> npt.NDArray[np.float64]:
    """(height,) hectares of a pixel in each row; NaN where the unit is unknown.

    Projected: see `Grid.row_ha`. Geographic: on the CRS's ellipsoid.
    """
    unknown = np.full(grid.height, np.nan)
    if grid.crs is None:
        return unknown
    unit = float(grid.crs.axis_info[0].unit_conversion_factor) if grid.crs.axis_info else 0.0
    if grid.crs.is_projected:
        return grid.row_ha if unit else unknown
    geod = grid.crs.get_geod()
    if not grid.crs.is_geographic or geod is None:
        return unknown
    return _ellipsoid_hectares(grid, geod, float(np.degrees(unit)))


def _ellipsoid_hectares(grid: Grid, geod: Geod, degrees: float) -> npt.NDArray[np.float64]:
    """Area between two parallels: Snyder (1987), Map Projections, eq. 3-12, on the ellipsoid."""
    edges = np.radians((grid.transform.f + grid.transform.e * np.arange(grid.height + 1)) * degrees)
    sine, e = np.sin(edges), float(np.sqrt(geod.es))
    atanh = np.arctanh(e * sine) / e if e else sine
    q = (1 - e**2) * (sine / (1 - (e * sine) ** 2) + atanh)
    width = np.radians(grid.resolution[0] * degrees)
    return np.asarray(np.abs(np.diff(q)) / 2 * width * geod.a**2 / 1e4)


@contextmanager
def _reading(path: Path) -> Iterator[rasterio.DatasetReader]:
    """A map; what cannot be read of it is told by its name.

    Raises:
        MapError: If it is damaged or gone.
    """
    try:
        with quiet_gdal(), rasterio.open(path) as file:
            yield file
    except RasterioError as error:
        raise MapError(
            f"map '{path}' could not be read back ({error})", hint="run it again"
        ) from error


def _ids(file: rasterio.DatasetReader, window: Window) -> npt.NDArray[np.int64]:
    pixels = rasterio.windows.Window(window.col, window.row, window.width, window.height)
    return np.asarray(file.read(1, window=pixels), np.int64)


def _has_class(other: GeoreferencedMap, grid: Grid, block: Window) -> npt.NDArray[np.bool_]:
    """(height, width) whether another map has a class at the centres of a block's pixels."""
    found = np.zeros(block.shape, bool)
    rows, cols = np.arange(block.height) + block.row, np.arange(block.width) + block.col
    x = grid.transform.c + grid.transform.a * (cols + 0.5)
    y = grid.transform.f + grid.transform.e * (rows + 0.5)
    t = other.grid.transform
    there_col = np.floor((x - t.c) / t.a).astype(np.int64)
    there_row = np.floor((y - t.f) / t.e).astype(np.int64)
    use_col = np.flatnonzero((there_col >= 0) & (there_col < other.grid.width))
    use_row = np.flatnonzero((there_row >= 0) & (there_row < other.grid.height))
    if not (len(use_row) and len(use_col)):
        return found
    seen_row, seen_col = there_row[use_row], there_col[use_col]
    top, left = int(seen_row.min()), int(seen_col.min())
    window = Window(top, left, int(np.ptp(seen_row)) + 1, int(np.ptp(seen_col)) + 1)
    with _reading(other.path) as file:
        ids = _ids(file, window)
    found[np.ix_(use_row, use_col)] = ids[np.ix_(seen_row - top, seen_col - left)] != NO_CLASS
    return found
