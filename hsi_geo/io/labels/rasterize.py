"""Rasterisation: the pixels under a geometry, and conflicts between geometries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import rasterio.features
import shapely
from rasterio.enums import MergeAlg

from hsi_geo.arrays import AnyArray, Float64Array, IntArray
from hsi_geo.io.labels.pixel_centres import rasterize_centres, shorter_side
from hsi_geo.tiling import Grid, Window

#: A line or polygon that extends farther than this is an error in its coordinates. GDAL would take
#: minutes to rasterise it.
FAR_PX = 1e6

#: Most pixels of the part of a scene in which geometries are rasterised together, so that memory is bounded.
TOGETHER_PX = 1 << 22

#: Geometries whose parts are rasterised one by one. The parts of a multipolygon are rasterised together.
_OF_PARTS = ("MultiPoint", "MultiLineString", "GeometryCollection")

#: Rows and columns of the pixels under a geometry, and whether it is too small to cover a centre.
PixelsUnder = tuple[IntArray, IntArray, bool]


def pixels_under_each(
    geometries: Sequence[shapely.Geometry], grid: Grid, all_touched: Sequence[bool]
) -> Iterator[PixelsUnder]:
    """Find the pixels under each of many geometries, as `pixels_under` does for one.

    GDAL takes as long for a small polygon as for a thousand. So polygons that share no pixel are rasterised together.

    Args:
        geometries: Points, lines or polygons of one part, in the CRS of the grid.
        grid: Pixels of the scene.
        all_touched: For each geometry whether it takes every pixel that it touches.
    """
    found: dict[int, PixelsUnder] = {}
    shapes = np.asarray(geometries, object)
    polygons = shapely.get_type_id(shapes) == shapely.GeometryType.POLYGON
    for every in (False, True):
        members = np.flatnonzero(polygons & (np.asarray(all_touched, bool) == every))
        apart = _under_polygons_apart(shapes[members], grid, every)
        found |= {int(members[i]): pixels for i, pixels in apart.items()}
    for i, geometry in enumerate(shapes):
        yield found[i] if i in found else pixels_under(geometry, grid, all_touched[i])


def _under_polygons_apart(
    polygons: AnyArray, grid: Grid, all_touched: bool
) -> dict[int, PixelsUnder]:
    """Pixels under those polygons whose bounding boxes have no pixel of two polygons."""
    bounds = shapely.bounds(polygons)
    near = (np.abs(bounds - np.tile(grid.bounds[:2], 2)) < _far(grid)).all(axis=1)
    windows = [window.clip(*grid.shape) for window in _pixel_windows(bounds[near], grid)]
    inside = [
        (int(i), window)
        for i, window in zip(np.flatnonzero(near), windows, strict=True)
        if window.height and window.width
    ]
    if len(inside) < 2:
        return {}
    row, col = min(w.row for _, w in inside), min(w.col for _, w in inside)
    height = max(w.row + w.height for _, w in inside) - row
    width = max(w.col + w.width for _, w in inside) - col
    around = Window(row, col, height, width)
    if height * width > TOGETHER_PX:
        return {}

    shapes = [polygons[i].__geo_interface__ for i, _ in inside]  # converted once for both

    def rasterize(values: Iterable[int], merge: MergeAlg) -> IntArray:
        if not all_touched:
            return rasterize_centres(shapes, grid, around, values=values, merge=merge)
        return np.asarray(
            rasterio.features.rasterize(
                zip(shapes, values, strict=True),
                out_shape=around.shape,
                transform=grid.transform_of(around),
                all_touched=True,
                merge_alg=merge,
                dtype="int32",
            )
        )

    shared = rasterize([1] * len(inside), MergeAlg.add) > 1
    owners = rasterize(range(1, len(inside) + 1), MergeAlg.replace)
    found: dict[int, PixelsUnder] = {}
    small = []
    for number, (i, window) in enumerate(inside, start=1):
        part = window.relative_to(around).slices
        if not shared[part].any():
            rows, cols = np.nonzero(owners[part] == number)
            if len(rows):
                found[i] = rows + window.row, cols + window.col, False
            else:
                small.append(i)
    return found | dict(zip(small, _pixels_inside(polygons[small], grid), strict=True))


def _pixels_inside(geometries: AnyArray, grid: Grid) -> list[PixelsUnder]:
    """The pixel under some point of each geometry; none of them covers a centre."""
    try:
        points = shapely.get_coordinates(shapely.point_on_surface(geometries))
    except shapely.errors.GEOSException:  # a ring that crosses itself by rounding
        if len(geometries) > 1:
            return [_pixels_inside(one, grid)[0] for one in np.split(geometries, len(geometries))]
        points = shapely.get_coordinates(geometries[0])[:1]
    rows, cols = grid.pixels_at(*points.T)
    return [(rows[i : i + 1], cols[i : i + 1], True) for i in range(len(rows))]


def _far(grid: Grid) -> float:
    """`FAR_PX` in units of the CRS."""
    return FAR_PX * shorter_side(grid)


def pixels_under(geometry: shapely.Geometry, grid: Grid, all_touched: bool) -> PixelsUnder:
    """Find the pixels under a geometry.

    Args:
        geometry: Point, line or polygon in the CRS of the grid. A shot of one part may have several after it was
            cut to the surroundings of the scene.
        grid: Pixels of the scene.
        all_touched: Take every pixel that a polygon touches, not only those whose centre is inside.

    Returns:
        rows: (n,) rows. Pixels outside the grid may be missing or included.
        cols: (n,) columns.
        small: Whether the geometry covers no pixel centre; the pixel under a point of it is taken.

    Examples:
        >>> from affine import Affine
        >>> grid = Grid(3, 4, Affine(1.0, 0.0, 0.0, 0.0, -1.0, 3.0), None)
        >>> rows, cols, small = pixels_under(shapely.box(0.4, 0.0, 2.0, 1.0), grid, all_touched=False)
        >>> rows.tolist(), cols.tolist(), small
        ([2, 2], [0, 1], False)
    """
    if geometry.geom_type in _OF_PARTS:
        return _under_parts(shapely.get_parts(geometry), grid, all_touched)
    if geometry.geom_type == "Point":
        return *grid.pixels_at(np.array([geometry.x]), np.array([geometry.y])), False
    extent = np.abs(np.array(geometry.bounds) - np.tile(grid.bounds[:2], 2))
    if not (extent < _far(grid)).all():
        return np.empty(0, np.int64), np.empty(0, np.int64), False
    window = _pixel_windows(np.array([geometry.bounds]), grid)[0].clip(*grid.shape)
    if not (window.height and window.width):
        return np.empty(0, np.int64), np.empty(0, np.int64), False
    if all_touched or geometry.geom_type in ("LineString", "LinearRing"):
        burnt = rasterio.features.rasterize(
            [geometry],
            out_shape=window.shape,
            transform=grid.transform_of(window),
            all_touched=True,
            dtype="uint8",
        )
    else:
        burnt = rasterize_centres([geometry], grid, window)
    rows, cols = np.nonzero(burnt)
    if len(rows):
        return rows + window.row, cols + window.col, False
    return _pixels_inside(np.array([geometry]), grid)[0]


def _under_parts(parts: AnyArray, grid: Grid, all_touched: bool) -> PixelsUnder:
    """Pixels under several geometries that are one shot; those too small for a centre count if all are."""
    found = [pixels_under(part, grid, all_touched) for part in parts]
    large = [(rows, cols) for rows, cols, small in found if not small]
    is_small = not any(len(rows) for rows, _ in large)
    kept = [(rows, cols) for rows, cols, _ in found] if is_small else large
    spots = [np.stack(pixels, axis=1) for pixels in kept]
    rows, cols = np.unique(np.concatenate([np.empty((0, 2), np.int64), *spots]), axis=0).T
    return rows, cols, is_small and len(rows) > 0


def _pixel_windows(bounds: Float64Array, grid: Grid) -> list[Window]:
    """Whole pixels around geometries.

    Args:
        bounds: (n, 4) left, bottom, right and top of each.
        grid: Pixels of the scene.
    """
    corners_x, corners_y = bounds[:, [0, 2, 0, 2]], bounds[:, [1, 1, 3, 3]]
    found = grid.pixels_at(corners_x.ravel(), corners_y.ravel())
    rows, cols = (values.reshape(-1, 4) for values in found)
    first = np.stack([rows.min(axis=1), cols.min(axis=1)], axis=1)
    sizes = np.stack([rows.max(axis=1), cols.max(axis=1)], axis=1) - first + 1
    return [Window(*one) for one in np.concatenate([first, sizes], axis=1).tolist()]


def resolve_conflicts(claims: IntArray) -> tuple[IntArray, IntArray, IntArray, int]:
    """Give each pixel to one geometry, and drop pixels with geometries of two classes.

    Geometries that cover the centre of a pixel take precedence over those too small for that.

    Args:
        claims: (4, N) for each pixel of a geometry its flat index, 1 if the geometry is too small to
            cover a centre (else 0), its class id and the number of the geometry.

    Returns:
        pixels: (n,) flat indices, increasing.
        class_ids: (n,) class of each.
        features: (n,) geometry of each, the lowest number of several.
        conflicts: Number of pixels that were dropped.

    Examples:
        >>> claims = np.array([[5, 5, 7, 7], [0, 1, 0, 0], [1, 2, 1, 2], [0, 1, 2, 3]])
        >>> pixels, class_ids, features, conflicts = resolve_conflicts(claims)
        >>> pixels.tolist(), class_ids.tolist(), features.tolist(), conflicts
        ([5], [1], [0], 1)
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
