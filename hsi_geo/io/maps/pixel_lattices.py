"""Whether two rasters have the same pixels: their CRS, and their places in pixels."""

from __future__ import annotations

import dataclasses

import numpy as np
from affine import Affine
from pyproj import Transformer

from hsi_geo.io.labels.crs_bounds import full_circle
from hsi_geo.tiling import Grid, SensorFrame

#: Largest difference of two pixel grids, in pixels over the whole map, at which they are one.
SAME_PX = 0.05


def lattice_offset(own: Grid, theirs: Grid) -> tuple[int, int] | None:
    """Row and column of a grid in which another grid of the same pixels begins; None if its pixels are others.

    The rows and columns of a sensor are the same pixels only if both images have the same size and place. Degrees are
    counted as in the first grid, see `with_longitudes_of`.

    Args:
        own: Pixels of a map.
        theirs: Pixels of another raster.

    Examples:
        >>> from affine import Affine
        >>> own = Grid(4, 6, Affine(30.0, 0.0, 0.0, 0.0, -30.0, 90.0), None)
        >>> lattice_offset(own, Grid(2, 2, Affine(30.0, 0.0, 60.0, 0.0, -30.0, 60.0), None))
        (1, 2)
        >>> lattice_offset(own, Grid(2, 2, Affine(30.0, 0.0, 70.0, 0.0, -30.0, 60.0), None)) is None
        True
    """
    if own.frame is not None or theirs.frame is not None:
        return (0, 0) if _same_image(own, theirs) else None
    if not own.has_crs_of(theirs):
        return None
    between = ~own.transform @ with_longitudes_of(own, theirs).transform
    corners = np.array([between @ (x, y) for x in (0, theirs.width) for y in (0, theirs.height)])
    col, row = np.round(corners[0])
    wanted = [(col + x, row + y) for x in (0, theirs.width) for y in (0, theirs.height)]
    return (int(row), int(col)) if np.abs(corners - wanted).max() < SAME_PX else None


def with_longitudes_of(own: Grid, theirs: Grid) -> Grid:
    """A grid in degrees, moved by 360 degrees if it then lies on another one: 190 and -170 are one meridian.

    Args:
        own: Pixels of a map, whose longitudes are kept.
        theirs: Pixels of another raster.

    Returns:
        The second grid, at the place where it has most in common with the first. Grids of other CRS stay.

    Examples:
        >>> from affine import Affine
        >>> from pyproj import CRS
        >>> degrees = CRS.from_epsg(4326)
        >>> own = Grid(4, 6, Affine(1.0, 0.0, -170.0, 0.0, -1.0, 60.0), degrees)
        >>> theirs = Grid(4, 6, Affine(1.0, 0.0, 192.0, 0.0, -1.0, 60.0), degrees)
        >>> with_longitudes_of(own, theirs).transform.c
        -168.0
    """
    if any(g.crs is None or not g.crs.is_geographic or g.frame is not None for g in (own, theirs)):
        return theirs
    assert own.crs is not None
    assert theirs.crs is not None
    circle = full_circle(theirs.crs)
    in_own = full_circle(own.crs) / circle
    left, _, right, _ = own.bounds
    start, _, end, _ = theirs.bounds

    def common(turns: int) -> float:
        at = turns * circle
        return min(right, in_own * (end + at)) - max(left, in_own * (start + at))

    best = max((0, 1, -1, 2, -2), key=common)  # none, if others are no better
    moved = Affine.translation(best * circle, 0.0) @ theirs.transform
    return dataclasses.replace(theirs, transform=moved) if best else theirs


def same_pixels(own: Grid, theirs: Grid) -> bool:
    """Whether two rasters have the same number of rows and columns at the same place.

    Args:
        own: Pixels of a map.
        theirs: Pixels of another raster.
    """
    if own.shape != theirs.shape:
        return False
    if _same_place(own, theirs):  # files of other formats describe a CRS in other words
        theirs = dataclasses.replace(theirs, crs=own.crs)
    return lattice_offset(own, theirs) == (0, 0)


def describe_pixels(grid: Grid) -> str:
    """Size, place and CRS of pixels, for a message.

    Args:
        grid: Pixels of a map.
    """
    if grid.frame is not None:
        return f"{grid.height} rows and {grid.width} columns of a sensor"
    crs = "no CRS" if grid.crs is None else grid.crs.name
    x, y = grid.resolution
    return f"{x:.6g} x {y:.6g} from ({grid.transform.c:.10g}, {grid.transform.f:.10g}) in {crs}"


def _same_place(own: Grid, theirs: Grid) -> bool:
    """Whether two CRS put the corners of a raster at the same place."""
    if own.crs is None or theirs.crs is None or own.frame is not None or theirs.frame is not None:
        return False
    corners = [own.transform @ (x, y) for x in (0, own.width) for y in (0, own.height)]
    x, y = np.transpose(corners)
    moved = np.stack(
        Transformer.from_crs(theirs.crs, own.crs, always_xy=True).transform(x, y)
    ) - np.stack([x, y])
    return bool((np.abs(moved).max(axis=1) < SAME_PX * np.array(own.resolution)).all())


def _same_image(own: Grid, theirs: Grid) -> bool:
    first, second = own.frame, theirs.frame
    if first is None or second is None or own.shape != theirs.shape:
        return False
    if not first.upright.has_crs_of(second.upright):
        return False
    size = np.array(first.upright.resolution)
    moved = np.abs(_spots(first, own) - _spots(second, theirs)) / size[:, None]
    return not (moved >= SAME_PX).any()


def _spots(frame: SensorFrame, grid: Grid) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """(2, 9) coordinates of pixels at corners, edges and in the middle; NaN where unknown."""
    rows, cols = (np.array([0, (n - 1) // 2, n - 1]) for n in grid.shape)
    spots = np.meshgrid(rows, cols, indexing="ij")
    left, top = round(grid.transform.c), round(grid.transform.f)
    return np.stack(frame.centres(spots[1].ravel() + left, spots[0].ravel() + top))
