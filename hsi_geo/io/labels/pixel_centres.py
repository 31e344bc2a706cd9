"""Pixels whose centres lie in an area: one rule for labels, references, zones, areas of interest and masks.

A centre on an edge that two areas share belongs to one of them: a place just beside it decides, to the east and south of
it. So touching areas add up to the land that they cover, and a raster has one class at every place.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import rasterio.features
import shapely
from affine import Affine
from rasterio.enums import MergeAlg

from hsi_geo.arrays import BoolArray, IntArray
from hsi_geo.tiling import Grid, Window

#: A centre is tested at a place so far beside it, in pixels. It is more than rounding moves an edge, and less than edges
#: are known.
BESIDE_PX = 1e-6

#: The same in steps between numbers as large as the coordinates: pixels of millimetres are not much larger than these.
_BESIDE_ULP = 32.0

#: How far it is moved to the south for each unit to the east. Edges through the centres of several pixels have slopes
#: of small whole numbers; no number is farther from these than the golden ratio.
_SLOPE = (math.sqrt(5.0) - 1.0) / 2.0


def rasterize_centres(
    shapes: Iterable[shapely.Geometry | dict[str, object]],
    grid: Grid,
    window: Window,
    *,
    values: Iterable[int] | None = None,
    merge: MergeAlg = MergeAlg.replace,
) -> IntArray:
    """Burn the pixels whose centres lie in polygons.

    Args:
        shapes: Polygons in the CRS of the grid, or mappings of GeoJSON; one at least has to be no empty one.
        grid: Pixels of a raster.
        window: Pixels to burn, in rows and columns of the grid.
        values: The value of each polygon; None for 1.
        merge: What a pixel in several of them gets.

    Returns:
        (height, width) values, 0 in no polygon.

    Examples:
        >>> grid = Grid(3, 2, Affine(1.0, 0.0, 0.0, 0.0, -1.0, 3.0), None)
        >>> upper, lower = shapely.box(0.0, 1.5, 2.0, 3.0), shapely.box(0.0, 0.0, 2.0, 1.5)
        >>> rasterize_centres([upper, lower], grid, grid.window, values=[1, 2]).tolist()
        [[1, 1], [2, 2], [2, 2]]
    """
    return np.asarray(
        rasterio.features.rasterize(
            shapes if values is None else zip(shapes, values, strict=True),
            out_shape=window.shape,
            transform=_beside(grid) @ grid.transform_of(window),
            merge_alg=merge,
            dtype="uint8" if values is None else "int32",
        )
    )


def area_mask(area: shapely.Geometry, grid: Grid, window: Window) -> BoolArray:
    """Find the pixels of a window whose centres lie in an area.

    Args:
        area: Polygons in the CRS of the grid, not empty.
        grid: Pixels of a raster.
        window: Pixels to test, in rows and columns of the grid.

    Returns:
        (height, width) True inside the area.

    Examples:
        >>> grid = Grid(2, 3, Affine(1.0, 0.0, 0.0, 0.0, -1.0, 2.0), None)
        >>> area_mask(shapely.box(0.9, 0.0, 3.0, 1.0), grid, grid.window).tolist()
        [[False, False, False], [False, True, True]]
    """
    return rasterize_centres([area], grid, window).astype(bool)


def are_centres_in(area: shapely.Geometry, grid: Grid, rows: IntArray, cols: IntArray) -> BoolArray:
    """Whether the centres of pixels lie in an area. It agrees with `area_mask`, and is faster for few pixels.

    Args:
        area: Valid polygons in the CRS of the grid.
        grid: Pixels of a raster.
        rows: (N,) rows.
        cols: (N,) columns.

    Returns:
        (N,) True inside the area.
    """
    t = _beside(grid) @ grid.transform
    x = t.c + t.a * (cols + 0.5) + t.b * (rows + 0.5)
    y = t.f + t.d * (cols + 0.5) + t.e * (rows + 0.5)
    return np.asarray(shapely.contains_xy(area, x, y), bool)


def shorter_side(grid: Grid) -> float:
    """Length of the shorter side of a pixel in CRS units, whatever the rotation.

    Args:
        grid: Pixels of a raster.
    """
    t = grid.transform
    return min(math.hypot(t.a, t.d), math.hypot(t.b, t.e))


def _beside(grid: Grid) -> Affine:
    """From the centre of a pixel to the place that is tested for it.

    It is the same direction on the Earth for any grid: north up or south up, rotated or not.
    """
    largest = max(map(abs, grid.bounds))
    east = max(BESIDE_PX * shorter_side(grid), _BESIDE_ULP * math.ulp(largest))
    return Affine.translation(east, -_SLOPE * east)
