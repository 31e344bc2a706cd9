"""Outlines of patches: the corners of pixels that they run along, moved to smooth them, and polygons of them.

Every corner of a pixel has one place, which is computed from the pixels around it. All patches that meet at a
corner use that place, so that neither gaps nor overlaps come up between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import rasterio.features
import shapely

from hsi_geo.arrays import AnyArray, BoolArray, Float64Array, IntArray

#: Farthest that a corner is moved in x and in y, in pixels. Below a half, edges that share no corner cannot
#: cross: they stay in bands of the grid that do not meet.
FARTHEST_PX = 0.45

#: Weights of the two steps of a pass of smoothing (Taubin 1995, A signal processing approach to fair surface
#: design, doi 10.1145/218380.218473). The second undoes most of the shrinking of the first.
STEPS = (0.5, -0.53)


def margin_px(passes: int) -> int:
    """Number of rows around a strip that the places of its corners depend on.

    Args:
        passes: Number of passes of smoothing.
    """
    return len(STEPS) * passes + 1


@dataclass(frozen=True, eq=False)
class Corners:
    """Places of the corners of a strip of pixels.

    Attributes:
        first_row: Row of the first corners: the row of the pixels below them.
        dx: (rows + 1, columns + 1) how far each corner is moved to the right, in pixels.
        dy: (rows + 1, columns + 1) how far it is moved down.
        nodes: (rows + 1, columns + 1) True where three or four outlines meet. Each patch has a vertex there.
    """

    first_row: int
    dx: Float64Array
    dy: Float64Array
    nodes: BoolArray

    def moved(self, cols: IntArray, rows: IntArray) -> Float64Array:
        """(N, 2) places of corners as columns and rows, which are no whole numbers where a corner is moved."""
        at = rows - self.first_row, cols
        return np.column_stack([cols + self.dx[at], rows + self.dy[at]])


def place_corners(ids: AnyArray, first_row: int, above: int, below: int, passes: int) -> Corners:
    """Find the places of the corners of a strip.

    Corners at the border of the map, beside pixels without a class, and where three or four patches meet, stay.

    Args:
        ids: (above + rows + below, columns) class of each pixel, 0 for no class, with the rows around the strip.
        first_row: Row of the strip's first pixels in the map.
        above: Number of rows above the strip; `margin_px` or as many as there are.
        below: Number of rows below the strip; likewise.
        passes: Number of passes of smoothing; 0 leaves all corners where they are.

    Examples:
        >>> ids = np.array([[1, 1, 1, 1], [2, 2, 1, 1], [2, 2, 2, 2], [2, 2, 2, 2]])
        >>> corners = place_corners(ids, 0, 0, 0, 1)
        >>> [round(float(d[1, 2]), 3) for d in (corners.dx, corners.dy)]  # of the corner of a stair
        [-0.184, 0.184]
    """
    padded = np.pad(np.asarray(ids, np.int64), 1, constant_values=-1)
    north_west, north_east = padded[:-1, :-1], padded[:-1, 1:]
    south_west, south_east = padded[1:, :-1], padded[1:, 1:]
    up, down = north_west != north_east, south_west != south_east
    left, right = north_west != south_west, north_east != south_east
    degree = up.astype(np.int8) + down + left + right
    inside = np.minimum.reduce([north_west, north_east, south_west, south_east]) > 0
    dx, dy = (np.zeros(degree.shape) for _ in range(2))
    movable = np.nonzero((degree == 2) & inside)
    if passes and len(movable[0]):
        _smooth(dx, dy, movable, (up, down, left, right), passes)
    own = slice(above, len(ids) - below + 1)
    return Corners(first_row, dx[own], dy[own], degree[own] > 2)


def _smooth(
    dx: Float64Array,
    dy: Float64Array,
    movable: tuple[IntArray, IntArray],
    edges: tuple[BoolArray, BoolArray, BoolArray, BoolArray],
    passes: int,
) -> None:
    """Move corners towards the middle of their two neighbours along the outline, and back in part."""
    rows, cols = movable
    towards = np.array([(-1, 0), (1, 0), (0, -1), (0, 1)])  # up, down, left, right
    has = np.stack([edge[movable] for edge in edges], axis=1)
    pair = towards[
        np.nonzero(has)[1].reshape(-1, 2)
    ]  # (N, 2, 2) the two neighbours as row and column
    beside = [(rows + pair[:, i, 0], cols + pair[:, i, 1]) for i in (0, 1)]
    for step in STEPS * passes:
        moved = []
        for values, axis in ((dx, 1), (dy, 0)):
            middle = (values[beside[0]] + values[beside[1]]) + (pair[:, 0, axis] + pair[:, 1, axis])
            own = values[movable]
            moved.append(np.clip(own + step * (middle / 2 - own), -FARTHEST_PX, FARTHEST_PX))
        dx[movable], dy[movable] = moved


def outline(labels: AnyArray, corners: Corners) -> tuple[IntArray, AnyArray]:
    """Draw the patches of a strip as polygons.

    Args:
        labels: (rows, columns) int32 number of each pixel's patch, from 1; 0 for none. Pixels of a patch are
            connected by their edges.
        corners: Places of the corners of the strip.

    Returns:
        labels: (N,) number of each polygon's patch.
        polygons: (N,) polygons, in columns and rows of the map.
    """
    numbers, rings, owners = [], [], []
    for index, (shape, number) in enumerate(
        rasterio.features.shapes(labels, labels > 0, connectivity=4)
    ):
        numbers.append(int(number))
        for ring in shape["coordinates"]:
            rings.append(np.asarray(ring, np.int64))
            owners.append(index)
    if not numbers:
        return np.zeros(0, np.int64), np.zeros(0, object)
    cols, rows, ring_of = _every_corner(rings, corners.first_row)
    places = corners.moved(cols, rows)
    kept = corners.nodes[rows - corners.first_row, cols] | turns(places, ring_of)
    drawn = shapely.linearrings(places[kept], indices=ring_of[kept])
    polygons = shapely.polygons(drawn, indices=np.array(owners))
    return np.array(numbers, np.int64), polygons


def _every_corner(rings: list[AnyArray], first_row: int) -> tuple[IntArray, IntArray, IntArray]:
    """Each corner that rings pass, once: columns, rows, and index of the ring."""
    starts = np.concatenate([ring[:-1] for ring in rings])
    ends = np.concatenate([ring[1:] for ring in rings])
    ring_of = np.repeat(np.arange(len(rings)), [len(ring) - 1 for ring in rings])
    lengths = np.abs(ends - starts).max(axis=1)
    step = np.repeat(np.sign(ends - starts), lengths, axis=0)
    first = np.repeat(np.cumsum(lengths) - lengths, lengths)
    along = np.arange(lengths.sum()) - first
    passed = np.repeat(starts, lengths, axis=0) + step * along[:, None]
    return passed[:, 0], passed[:, 1] + first_row, np.repeat(ring_of, lengths)


def turns(places: Float64Array, ring_of: IntArray) -> BoolArray:
    """Find the vertices at which rings change their direction.

    Args:
        places: (N, 2) vertices of rings one after the other, each vertex once.
        ring_of: (N,) index of the ring of each vertex, ascending.

    Returns:
        (N,) False where a vertex lies exactly on the line between the one before it and the one after it.

    Examples:
        >>> square = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]])
        >>> turns(square, np.zeros(5, int)).tolist()
        [True, False, True, True, True]
    """
    first = np.flatnonzero(np.diff(ring_of, prepend=-1))
    last = np.append(first[1:], len(ring_of)) - 1
    before, after = np.arange(len(ring_of)) - 1, np.arange(len(ring_of)) + 1
    before[first], after[last] = last, first
    back, ahead = places - places[before], places[after] - places
    return np.asarray(back[:, 0] * ahead[:, 1] != back[:, 1] * ahead[:, 0])
