"""Edges that are straight in one CRS and bent in another: they get vertices between their ends."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import shapely

from hsi_geo.arrays import AnyArray, Float64Array
from hsi_geo.tiling import Grid

#: Farthest that an edge may lie from its place, in pixels.
TOLERANCE_PX = 0.01

#: Most vertices that a geometry gets, which bounds time and memory for edges around half of the Earth.
MOST_VERTICES = 20_000

#: How often edges are halved and measured again, at most. The first estimate is mostly right.
_ROUNDS = 4

#: Where on an edge its bend is measured. The middle alone would miss one that is bent to both sides.
_PLACES = (0.25, 0.5, 0.75)

#: Where short edges are tried first: more than two thirds of their bend is there, be it to one side or to both.
_TRIED_PLACE = 0.35

#: Distance from the scene, in pixels, within which edges count as near in any case.
_MARGIN_PX = 4.0


def may_bend(shapes: AnyArray, placed: AnyArray, grid: Grid, *, short: float) -> AnyArray:
    """Find geometries of which an edge may be bent in a scene, by their extents.

    Args:
        shapes: (N,) geometries.
        placed: (N,) the same in the CRS of the scene.
        grid: Pixels of the scene.
        short: Extent, in the CRS of the geometries, up to which edges leave their chords by less than the length
            of these. A longer edge may go around a pole, and come back to where it starts.

    Returns:
        (N,) False for points, missing geometries, and those within a pixel or far from the scene.

    Examples:
        >>> from affine import Affine
        >>> grid = Grid(9, 9, Affine(1.0, 0.0, 0.0, 0.0, -1.0, 9.0), None)
        >>> boxes = shapely.box([2.0, 2.0, 50.0], 2.0, [2.4, 6.0, 54.0], [2.4, 6.0, 6.0])
        >>> may_bend(boxes, boxes, grid, short=100.0).tolist()
        [False, True, False]
    """
    pixel = max(grid.resolution)
    with np.errstate(invalid="ignore", over="ignore"):  # places that are not on the map
        extents = _diagonals(shapely.bounds(shapes))
        bounds = shapely.bounds(placed)
        sizes = _diagonals(bounds)
        reach = (sizes + _MARGIN_PX * pixel)[:, None]
        left, bottom, right, top = grid.bounds
        misses = (bounds[:, :2] - reach > [right, top]) | (bounds[:, 2:] + reach < [left, bottom])
    straight = (extents <= short) & (misses.any(axis=1) | (sizes <= min(grid.resolution)))
    return np.asarray((shapely.get_dimensions(shapes) > 0) & ~straight)


def _diagonals(bounds: Float64Array) -> Float64Array:
    return np.hypot(bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1])


def split_bent_edges(
    shapes: AnyArray,
    placed: AnyArray,
    place: Callable[[Float64Array], Float64Array],
    grid: Grid,
    *,
    short: float = 0.0,
) -> AnyArray:
    """Add vertices to edges that are bent where they are placed in a scene.

    Reprojection moves vertices only. Between two of them that are far apart the edge of a polygon would lie
    many pixels from its place: a parallel, for example, is bent in most projections.

    Args:
        shapes: (N,) geometries.
        placed: (N,) the same in the CRS of the scene.
        place: Gives the coordinates in the CRS of the scene, (n, 2), of coordinates in that of the geometries, (n, 2).
        grid: Pixels of the scene. Edges far from it stay as they are.
        short: As for `may_bend`.

    Returns:
        (N,) the geometries. Those that need no vertex are the same objects; the others are flat. Invalid polygons
        stay invalid: they keep all of their rings.

    Examples:
        >>> from affine import Affine
        >>> grid = Grid(9, 9, Affine(1.0, 0.0, 0.0, 0.0, -1.0, 9.0), None)
        >>> line = np.array([shapely.LineString([(0.0, 0.0), (4.0, 0.0)])])
        >>> bend = lambda xy: np.stack([xy[:, 0], xy[:, 1] + (xy[:, 0] - 2) ** 2 / 4], axis=1)
        >>> split = split_bent_edges(line, shapely.transform(line, bend), bend, grid)
        >>> shapely.get_num_coordinates(split).tolist()
        [11]
    """
    found = shapes.copy()
    chosen = np.flatnonzero(may_bend(shapes, placed, grid, short=short))
    placed_xy = shapely.get_coordinates(placed[chosen])
    for _ in range(_ROUNDS):
        steps = _steps(found[chosen], placed_xy, place, grid, short)
        chosen, steps = chosen[np.isfinite(steps)], steps[np.isfinite(steps)]
        if not len(chosen):
            break
        found[chosen] = _segmentize(shapely.force_2d(found[chosen]), steps)
        placed_xy = place(shapely.get_coordinates(found[chosen]))
    return found


def _segmentize(shapes: AnyArray, steps: Float64Array) -> AnyArray:
    """(N,) the geometries with edges no longer than the steps, ring by ring.

    GEOS "repairs" invalid polygons after that with a buffer of 0: of a bow-tie one lobe would vanish.
    """
    found = shapes.copy()
    kinds = np.where(shapely.is_empty(shapes), -1, shapely.get_type_id(shapes))
    polygons = kinds == shapely.GeometryType.POLYGON
    multiple = kinds == shapely.GeometryType.MULTIPOLYGON
    mixed = kinds == shapely.GeometryType.GEOMETRYCOLLECTION
    lines = ~(polygons | multiple | mixed)
    found[lines] = shapely.segmentize(shapes[lines], steps[lines])
    if polygons.any():
        rings, owners = shapely.get_rings(shapes[polygons], return_index=True)
        split = shapely.segmentize(rings, steps[polygons][owners])
        found[polygons] = shapely.polygons(split, indices=owners)
    for some, join in ((multiple, shapely.multipolygons), (mixed, shapely.geometrycollections)):
        if some.any():
            parts, owners = shapely.get_parts(shapes[some], return_index=True)
            found[some] = join(_segmentize(parts, steps[some][owners]), indices=owners)
    return found


def _steps(
    shapes: AnyArray,
    placed_xy: Float64Array,
    place: Callable[[Float64Array], Float64Array],
    grid: Grid,
    short: float,
) -> Float64Array:
    """(N,) the longest that edges of each geometry may be; infinite where they are short enough."""
    xy, owners = shapely.get_coordinates(shapes, return_index=True)
    # What leads from one ring of a geometry to the next is no edge, and at worst costs some vertices.
    first = np.flatnonzero(owners[1:] == owners[:-1])
    tolerance = TOLERANCE_PX * min(grid.resolution)
    first = first[_may_be_bent(xy, placed_xy, first, place, tolerance, short)]
    starts, ends, owners = xy[first], xy[first + 1], owners[first]
    bends, near = _bends(starts, ends, placed_xy[first], placed_xy[first + 1], place, grid)
    bent = near & np.isfinite(bends) & (bends > tolerance)
    pieces = np.ceil(np.sqrt(bends[bent] / tolerance))  # half an edge bends a quarter as much
    steps = np.full(len(shapes), np.inf)
    np.minimum.at(steps, owners[bent], np.hypot(*(ends - starts)[bent].T) / pieces)
    return np.asarray(np.maximum(steps, shapely.length(shapes) / MOST_VERTICES))


def _may_be_bent(
    xy: Float64Array,
    placed_xy: Float64Array,
    first: AnyArray,
    place: Callable[[Float64Array], Float64Array],
    tolerance: float,
    short: float,
) -> AnyArray:
    """Whether edges that begin at some vertices are long, or are off their chords at one place."""
    starts, along = xy[first], xy[first + 1] - xy[first]
    may = ~(np.hypot(*along.T) <= short)
    tried = np.flatnonzero(~may)
    points = place(starts[tried] + _TRIED_PLACE * along[tried])
    with np.errstate(invalid="ignore", over="ignore"):  # places that are not on the map
        begin = placed_xy[first[tried]]
        straight = begin + _TRIED_PLACE * (placed_xy[first[tried] + 1] - begin)
        may[tried] = ~(np.hypot(*(points - straight).T) <= tolerance / 2)
    return np.asarray(may)


def _bends(
    starts: Float64Array,
    ends: Float64Array,
    placed_starts: Float64Array,
    placed_ends: Float64Array,
    place: Callable[[Float64Array], Float64Array],
    grid: Grid,
) -> tuple[Float64Array, AnyArray]:
    """How far each edge lies from the straight line between its placed ends, and whether either may meet the scene."""
    bends = np.zeros(len(starts))
    low, high = np.minimum(placed_starts, placed_ends), np.maximum(placed_starts, placed_ends)
    with np.errstate(
        invalid="ignore", divide="ignore", over="ignore"
    ):  # places that are not on the map
        chords = placed_ends - placed_starts
        squares = (chords**2).sum(axis=1)
        for part in _PLACES:
            points = place(starts + part * (ends - starts))
            along = ((points - placed_starts) * chords).sum(axis=1) / squares
            along = np.clip(np.where(squares > 0, along, 0.0), 0.0, 1.0)
            off = points - placed_starts - along[:, None] * chords
            bends = np.maximum(bends, np.hypot(*off.T))
            low, high = np.minimum(low, points), np.maximum(high, points)
        left, bottom, right, top = grid.bounds
        margin = bends[:, None] + max(grid.resolution)
        meets = (low - margin <= [right, top]) & (high + margin >= [left, bottom])
    return bends, meets.all(axis=1)
