"""In which order tiles are mapped, and which of them one worker maps one after the other.

Neighbours share windows and blocks of their files, so that a worker should get tiles that lie together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hsi_geo.arrays import Float64Array, IntArray
from hsi_geo.tasks.tiles.footprints import Footprints
from hsi_geo.tiling import Grid

#: Most tiles of a run, and most pixels, unless it is one tile: results of a run arrive together.
RUN_TILES, RUN_PX = 16, 1 << 20

#: Runs that each worker should still get when one is cut, so that all workers end at about the same time.
RUNS_LEFT = 2


def along_curve(grids: Sequence[Grid | None], chosen: Sequence[int]) -> list[int]:
    """Order tiles along a Z-order curve (Morton order), on which tiles that follow each other mostly lie together.

    Args:
        grids: Grids of all tiles; None for tiles that cannot be opened.
        chosen: Indices of the tiles to order.

    Returns:
        The indices: those of one CRS after the other, then those without a CRS and rotated ones in the given order.

    Examples:
        >>> from affine import Affine
        >>> from pyproj import CRS
        >>> utm = CRS.from_epsg(32633)
        >>> def tile(row, col):
        ...     return Grid(8, 8, Affine(1.0, 0.0, 8.0 * col, 0.0, -1.0, -8.0 * row), utm)
        >>> along_curve([tile(row, col) for row in range(2) for col in range(4)], range(8))
        [0, 1, 4, 5, 2, 3, 6, 7]
    """
    wanted, ordered = set(chosen), list[int]()
    for group in Footprints(grids).groups:
        members = [index for index in group if index in wanted]
        own = [grid for index in members if (grid := grids[index]) is not None]
        if own:
            codes = _morton_codes(np.array([grid.bounds for grid in own]))
            ordered += [members[place] for place in np.argsort(codes, kind="stable")]
    placed = set(ordered)
    return [*ordered, *(index for index in chosen if index not in placed)]


def _morton_codes(bounds: Float64Array) -> IntArray:
    """(N,) places on the curve of (N, 4) bounds: bits of row and column in turn, in cells of the usual tile's size."""
    left, bottom, right, top = bounds.T
    cols = np.round((left - left.min()) / max(float(np.median(right - left)), 1e-300))
    rows = np.round((top.max() - top) / max(float(np.median(top - bottom)), 1e-300))
    codes = np.zeros(len(bounds), np.int64)
    for bit in range(31):
        for shift, cells in enumerate((cols, rows)):
            codes |= (np.minimum(cells, 2.0**31 - 1).astype(np.int64) >> bit & 1) << (
                2 * bit + shift
            )
    return codes


def in_runs(sizes_px: Sequence[int], workers: int) -> list[range]:
    """Cut a sequence of tiles into runs, long ones first.

    Args:
        sizes_px: Pixels of the tiles in their order.
        workers: Number of workers; with 0, which may become many, each tile is a run.

    Returns:
        The places of the tiles of each run.

    Examples:
        >>> in_runs([10] * 9, 2)
        [range(0, 2), range(2, 3), range(3, 4), range(4, 5), range(5, 6), range(6, 7), range(7, 8), range(8, 9)]
    """
    runs, first, left_px = list[range](), 0, sum(sizes_px)
    if not workers:
        return [range(place, place + 1) for place in range(len(sizes_px))]
    while first < len(sizes_px):
        most_px = min(RUN_PX, left_px / (RUNS_LEFT * workers))
        last, run_px = first + 1, sizes_px[first]
        while last < min(len(sizes_px), first + RUN_TILES) and run_px + sizes_px[last] <= most_px:
            run_px += sizes_px[last]
            last += 1
        runs.append(range(first, last))
        first, left_px = last, left_px - run_px
    return runs
