"""From geometries to pixels: which lie under one, and whose they are where several claim them."""

from __future__ import annotations

import numpy as np
import rasterio.features
import shapely

from hsi_geo.arrays import IntArray
from hsi_geo.tiling import Grid, Window

#: A line or polygon that reaches farther than this is a slip of some program's, and takes GDAL
#: minutes to draw.
FAR_PX = 1e6


def pixels_under(
    geometry: shapely.Geometry, grid: Grid, all_touched: bool
) -> tuple[IntArray, IntArray, bool]:
    """(rows, columns) under a single-part geometry, and whether it is too small for a centre.

    Pixels outside the grid may be missing or included.
    """
    if geometry.geom_type == "Point":
        return *grid.pixels_at(np.array([geometry.x]), np.array([geometry.y])), False
    reach = np.abs(np.array(geometry.bounds) - np.tile(grid.bounds[:2], 2))
    if not (reach < FAR_PX * min(grid.resolution)).all():
        return np.empty(0, np.int64), np.empty(0, np.int64), False
    window = _pixel_window(geometry, grid).clip(*grid.shape)
    if not (window.height and window.width):
        return np.empty(0, np.int64), np.empty(0, np.int64), False
    line = geometry.geom_type in ("LineString", "LinearRing")
    burnt = rasterio.features.rasterize(
        [geometry],
        out_shape=window.shape,
        transform=grid.transform_of(window),
        all_touched=all_touched or line,
        dtype="uint8",
    )
    rows, cols = np.nonzero(burnt)
    if len(rows):
        return rows + window.row, cols + window.col, False
    try:
        point = geometry.representative_point()
    except shapely.errors.GEOSException:  # a ring that crosses itself where digits end
        point = shapely.Point(shapely.get_coordinates(geometry)[0])
    return *grid.pixels_at(np.array([point.x]), np.array([point.y])), True


def _pixel_window(geometry: shapely.Geometry, grid: Grid) -> Window:
    """Whole pixels around a geometry."""
    left, bottom, right, top = geometry.bounds
    rows, cols = grid.pixels_at(np.array([left, right] * 2), np.array([bottom, bottom, top, top]))
    row, col = int(rows.min()), int(cols.min())
    return Window(row, col, int(rows.max()) - row + 1, int(cols.max()) - col + 1)


def resolve_conflicts(claims: IntArray) -> tuple[IntArray, IntArray, IntArray, int]:
    """Drop weak claims beside strong ones, repeats, and pixels that two classes claim.

    Args:
        claims: (4, N) flat index of a pixel, weakness of the claim, class, feature.

    Returns:
        Flat indices, increasing; their classes; their features; how many pixels were contested.
    """
    flat, weak, class_ids, features = claims[:, np.lexsort(claims[::-1])]
    _, first, inverse = np.unique(flat, return_index=True, return_inverse=True)
    best = weak == weak[first][inverse]
    flat, class_ids, features = flat[best], class_ids[best], features[best]
    pixels, first, counts = np.unique(flat, return_index=True, return_counts=True)
    # Sorted by class within a pixel: one class only if the first and the last entry agree.
    agree = class_ids[first] == class_ids[first + counts - 1]
    keep = first[agree]
    return pixels[agree], class_ids[keep], features[keep], int((~agree).sum())
