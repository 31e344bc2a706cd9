"""The pixel of a swath that each pixel of an upright grid shows: the nearest one, within the swath's edges."""

from __future__ import annotations

import numpy as np

from hsi_geo.arrays import (
    AnyArray,
    BoolArray,
    Float32Array,
    Float64Array,
    IndexArray,
    IntArray,
)
from hsi_geo.tiling import Window

#: Side of the parts of the grid that are indexed at a time.
TILE_PX = 1024

#: No pixel of a swath reaches farther than this, in pixels of the grid.
REACH_PX = 16.0

#: Rows of the swath whose extent is kept, so that a part of the grid looks at few of them.
ROWS = 64

#: A neighbour that is this many times farther away than the other one lies beyond a gap.
GAP = 2.5

#: A grid pixel may lie this far outside of a swath's pixel where the swath goes on, in swath pixels.
INSIDE, EDGE = 1.0, 0.5 + 1e-4


class SwathIndex:
    """Index from the pixels of a grid to those of a swath, made part by part as it is needed.

    A grid pixel shows the swath pixel whose centre is nearest to its own. At the edges of the swath, and at
    gaps in it, the grid pixel has to lie in the swath pixel, whose sides run halfway to its neighbours: edges
    are not smeared, whatever the pixel size.

    Args:
        points: (2, H, W) column and row of the swath's pixel centres on the grid, where (0, 0) is the grid's upper
            left corner; NaN where unknown.
    """

    def __init__(self, points: Float32Array) -> None:
        self._points = points
        self._tiles: dict[tuple[int, int], AnyArray] = {}
        self._extents = _extents(points)

    def read(self, window: Window) -> AnyArray:
        """Find the swath pixels of a window.

        Args:
            window: Pixels inside the grid.

        Returns:
            (2, height, width) column and row in the swath, counted from 1; 0 where there is none.
        """
        found = np.zeros((2, *window.shape), np.int32)
        for row in range(window.row // TILE_PX, (window.row + window.height - 1) // TILE_PX + 1):
            for col in range(window.col // TILE_PX, (window.col + window.width - 1) // TILE_PX + 1):
                whole = Window(row * TILE_PX, col * TILE_PX, TILE_PX, TILE_PX)
                here = whole.relative_to(window).clip(*window.shape)
                there = Window(
                    here.row + window.row - whole.row,
                    here.col + window.col - whole.col,
                    *here.shape,
                )
                tile = self._tile((row, col), whole)
                found[:, *here.slices] = tile[:, *there.slices]
        return found

    def locate(self, cols: Float64Array, rows: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Find where places of the grid lie in the swath.

        Args:
            cols: (N,) columns on the grid, with fractions.
            rows: (N,) rows on the grid.

        Returns:
            (N,) columns and (N,) rows in the swath, with fractions; (0, 0) is its upper left corner. Beside the swath
            they are continued from its nearest pixel.
        """
        places = np.stack([cols, rows]).astype(np.float64)
        found = np.full_like(places, np.nan)
        known = np.flatnonzero(np.isfinite(places).all(axis=0))
        if known.size:
            low, high = places[:, known].min(axis=1), places[:, known].max(axis=1)
            left, top = np.floor(low).astype(np.int64)
            width, height = np.ceil(high - np.floor(low)).astype(np.int64)
            pixels = self._near(Window(int(top), int(left), int(height), int(width)))
            if not pixels.size:
                pixels = np.flatnonzero(np.isfinite(self._points).all(axis=0))
            from scipy.spatial import cKDTree  # most scenes are no swaths

            tree = cKDTree(self._points.reshape(2, -1)[:, pixels].T)
            nearest = pixels[tree.query(places[:, known].T)[1]]
            line, sample = np.divmod(nearest, self._points.shape[2])
            along, across, _ = self._offsets(nearest, places[:, known])
            found[:, known] = sample + 0.5 + across, line + 0.5 + along
        return found[0], found[1]

    def centres(self, cols: IntArray, rows: IntArray) -> tuple[Float64Array, Float64Array]:
        """Columns and rows of the swath's pixels on the grid, NaN where unknown.

        Args:
            cols: (N,) columns in the swath, from 0.
            rows: (N,) rows in the swath, from 0.
        """
        x, y = self._at(rows.astype(np.intp), cols.astype(np.intp))
        return x, y

    def _tile(self, key: tuple[int, int], tile: Window) -> AnyArray:
        if key not in self._tiles:
            self._tiles[key] = self._find(tile)
        return self._tiles[key]

    def _find(self, tile: Window) -> AnyArray:
        """(2, height, width) as `read`, of a part of the grid."""
        found = np.zeros((2, *tile.shape), np.int32)
        candidates = self._near(tile)
        if not candidates.size:
            return found
        flat = self._points.reshape(2, -1)
        rows, cols = np.indices(tile.shape)
        centres = np.stack([cols + tile.col + 0.5, rows + tile.row + 0.5]).reshape(2, -1)
        from scipy.spatial import cKDTree

        # Trees of regular points are as fast unbalanced, and made in a tenth of the time.
        tree = cKDTree(flat[:, candidates].T, balanced_tree=False, compact_nodes=False)
        distances, nearest = tree.query(centres.T, distance_upper_bound=REACH_PX)
        near = np.flatnonzero(np.isfinite(distances))
        pixels = candidates[nearest[near]]
        inside = self._holds(pixels, centres[:, near])
        line, sample = np.divmod(pixels[inside], self._points.shape[2])
        found.reshape(2, -1)[:, near[inside]] = sample + 1, line + 1
        return found

    def _near(self, tile: Window) -> IndexArray:
        """Flat indices of the swath's pixels in and around a part of the grid."""
        low = np.array([tile.col, tile.row]) - REACH_PX
        high = np.array([tile.col + tile.width, tile.row + tile.height]) + REACH_PX
        _, height, width = self._points.shape
        lists = []
        for number, (least, most) in enumerate(self._extents):
            if not ((least <= high) & (most >= low)).all():
                continue
            first = number * ROWS
            part = self._points[:, first : min(first + ROWS, height)].reshape(2, -1)
            with np.errstate(invalid="ignore"):
                here = ((part >= low[:, None]) & (part <= high[:, None])).all(axis=0)
            lists.append(np.flatnonzero(here) + first * width)
        return np.concatenate(lists) if lists else np.empty(0, np.intp)

    def _holds(self, pixels: IndexArray, places: Float64Array) -> BoolArray:
        """Whether swath pixels hold places of the grid; arguments as in `_offsets`."""
        along, across, (before, after, left_of, right_of) = self._offsets(pixels, places)
        with np.errstate(invalid="ignore"):
            return np.asarray(
                (along >= -np.where(before, INSIDE, EDGE))
                & (along <= np.where(after, INSIDE, EDGE))
                & (across >= -np.where(left_of, INSIDE, EDGE))
                & (across <= np.where(right_of, INSIDE, EDGE))
            )

    def _offsets(
        self, pixels: IndexArray, places: Float64Array
    ) -> tuple[Float64Array, Float64Array, tuple[BoolArray, ...]]:
        """Distance of places from the centres of swath pixels, in swath pixels.

        Args:
            pixels: (N,) flat indices of the pixels.
            places: (2, N) columns and rows of the grid.

        Returns:
            along: (N,) rows of the swath.
            across: (N,) columns of the swath.
            neighbours: (N,) whether the swath goes on before and after the pixel, and left and right of it.
        """
        line, sample = np.divmod(pixels, self._points.shape[2])
        own = self._at(line, sample)
        down, before, after = _step(own, self._at(line - 1, sample), self._at(line + 1, sample))
        right, left_of, right_of = _step(
            own, self._at(line, sample - 1), self._at(line, sample + 1)
        )
        down, right = _completed(down, right), _completed(right, down)
        offset = places - own
        area = right[0] * down[1] - right[1] * down[0]
        with np.errstate(invalid="ignore", divide="ignore"):
            along = (right[0] * offset[1] - right[1] * offset[0]) / area
            across = (down[1] * offset[0] - down[0] * offset[1]) / area
        return along, across, (before, after, left_of, right_of)

    def _at(self, line: IndexArray, sample: IndexArray) -> Float64Array:
        """(2, N) places of swath pixels, NaN outside of the swath."""
        height, width = self._points.shape[1:]
        known = (line >= 0) & (line < height) & (sample >= 0) & (sample < width)
        places = np.full((2, len(line)), np.nan)
        places[:, known] = self._points[:, line[known], sample[known]]
        return places


def _extents(points: Float32Array) -> list[tuple[Float64Array, Float64Array]]:
    """Least and greatest column and row of each strip of a swath; infinities where nothing is known."""
    found = []
    for first in range(0, points.shape[1], ROWS):
        part = points[:, first : first + ROWS].reshape(2, -1)
        known = part[:, np.isfinite(part).all(axis=0)]
        low = known.min(axis=1, initial=np.inf)
        found.append(
            (low.astype(np.float64), known.max(axis=1, initial=-np.inf).astype(np.float64))
        )
    return found


def _step(
    own: Float64Array, before: Float64Array, after: Float64Array
) -> tuple[Float64Array, BoolArray, BoolArray]:
    """Step from a pixel to the next along an axis, and whether its neighbours belong to it.

    Args:
        own: (2, N) places of pixels.
        before: (2, N) places of their neighbours before them, NaN where there is none.
        after: (2, N) places of those after them.

    Returns:
        step: (2, N) the shorter of the two steps; NaN without a neighbour.
        has_before: (N,) whether the neighbour before is there, and not beyond a gap.
        has_after: (N,) as ``has_before``.
    """
    back, forth = own - before, after - own
    lengths = np.stack([np.hypot(*back), np.hypot(*forth)])
    lengths[~(lengths > 0)] = np.inf
    shortest = lengths.min(axis=0)
    step = np.where(lengths[0] <= lengths[1], back, forth)
    step[:, ~np.isfinite(shortest)] = np.nan
    with np.errstate(invalid="ignore"):
        near = np.isfinite(lengths) & (lengths <= GAP * shortest)
    return step, near[0], near[1]


def _completed(step: Float64Array, other: Float64Array) -> Float64Array:
    """Steps of an axis; where a pixel has no neighbour along it, as long as the other step and across it."""
    missing = np.isnan(step[0])
    if not missing.any():
        return step
    across = np.stack([-other[1], other[0]])
    across[:, np.isnan(other[0])] = np.nan
    return np.where(missing, across, step)
