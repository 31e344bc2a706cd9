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


def split_bent_edges(
    shapes: AnyArray, place: Callable[[Float64Array], Float64Array], grid: Grid
) -> AnyArray:
    """Add vertices to edges that are bent where they are placed in a scene.

    Reprojection moves vertices only. Between two of them that are far apart the edge of a polygon would lie
    many pixels from its place: a parallel, for example, is bent in most projections.

    Args:
        shapes: (N,) geometries.
        place: Gives the coordinates in the CRS of the scene, (n, 2), of coordinates in that of the geometries, (n, 2).
        grid: Pixels of the scene. Edges far from it stay as they are.

    Returns:
        (N,) the geometries. Those that need no vertex are the same objects; the others are flat.

    Examples:
        >>> from affine import Affine
        >>> grid = Grid(9, 9, Affine(1.0, 0.0, 0.0, 0.0, -1.0, 9.0), None)
        >>> line = shapely.LineString([(0.0, 0.0), (4.0, 0.0)])
        >>> bend = lambda xy: np.stack([xy[:, 0], xy[:, 1] + (xy[:, 0] - 2) ** 2 / 4], axis=1)
        >>> shapely.get_num_coordinates(split_bent_edges(np.array([line]), bend, grid)).tolist()
        [11]
    """
    found = shapes.copy()
    chosen = np.flatnonzero(shapely.get_dimensions(shapes) > 0)
    for _ in range(_ROUNDS):
        steps = _steps(found[chosen], place, grid)
        chosen, steps = chosen[np.isfinite(steps)], steps[np.isfinite(steps)]
        if not len(chosen):
            break
        found[chosen] = shapely.segmentize(shapely.force_2d(found[chosen]), steps)
    return found


def _steps(
    shapes: AnyArray, place: Callable[[Float64Array], Float64Array], grid: Grid
) -> Float64Array:
    """(N,) the longest that edges of each geometry may be; infinite where they are short enough."""
    xy, owners = shapely.get_coordinates(shapes, return_index=True)
    # What leads from one ring of a geometry to the next is no edge, and at worst costs some vertices.
    first = np.flatnonzero(owners[1:] == owners[:-1])
    starts, ends, owners = xy[first], xy[first + 1], owners[first]
    placed = place(xy)
    bends, near = _bends(starts, ends, placed[first], placed[first + 1], place, grid)
    tolerance = TOLERANCE_PX * min(grid.resolution)
    bent = near & np.isfinite(bends) & (bends > tolerance)
    pieces = np.ceil(np.sqrt(bends[bent] / tolerance))  # half an edge bends a quarter as much
    steps = np.full(len(shapes), np.inf)
    np.minimum.at(steps, owners[bent], np.hypot(*(ends - starts)[bent].T) / pieces)
    return np.asarray(np.maximum(steps, shapely.length(shapes) / MOST_VERTICES))


def _bends(
    starts: Float64Array,
    ends: Float64Array,
    placed_starts: Float64Array,
    placed_ends: Float64Array,
    place: Callable[[Float64Array], Float64Array],
    grid: Grid,
) -> tuple[Float64Array, AnyArray]:
    """How far each edge lies from the straight line between its placed ends, and whether either may meet the scene."""
    chords = placed_ends - placed_starts
    squares = (chords**2).sum(axis=1)
    bends = np.zeros(len(starts))
    low, high = np.minimum(placed_starts, placed_ends), np.maximum(placed_starts, placed_ends)
    with np.errstate(
        invalid="ignore", divide="ignore", over="ignore"
    ):  # places that are not on the map
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
