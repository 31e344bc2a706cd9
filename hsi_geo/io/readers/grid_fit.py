"""The upright grid that fits an image of a sensor: its pixel size and its extent."""

from __future__ import annotations

import math

import numpy as np
from affine import Affine
from pyproj import CRS

from hsi_geo.arrays import AnyArray, Float64Array
from hsi_geo.errors import OptionError, SceneError
from hsi_geo.tiling import Grid

#: A grid may have this many times the pixels of its image: a strip that crosses the grid leaves much empty.
MOST_TIMES = 200

#: The pixel size that a product states is taken if the measured one is at most this many times larger or smaller.
NOMINAL_FACTOR = 2.0

#: Neighbours whose pixel has a smaller area, as a share of a rectangle of its sides, lie in one line.
FLAT = 1e-3

#: Share of the pixels of an image that turn to the same side; a plane that shakes folds a few lines.
SAME_SIDE = 0.7

#: Names that programs give to a CRS without one.
_UNNAMED = ("unnamed", "unknown", "undefined")


def fit_grid(
    x: Float64Array,
    y: Float64Array,
    crs: CRS,
    name: str,
    nominal_m: float | None = None,
    size: float | None = None,
) -> Grid:
    """The upright grid of an image whose pixel centres are known.

    Pixels are square. Their side is the root of the usual area of the image's pixels, with two digits. The
    grid's origin is a multiple of it, so that neighbouring images share their pixels.

    Args:
        x: (H, W) coordinates of pixel centres in the CRS; NaN where unknown.
        y: (H, W) as ``x``.
        crs: CRS of the grid.
        name: Name of the scene, for messages.
        nominal_m: Pixel size that the product states, in metres; None if it states none.
        size: Side of a pixel in the unit of the CRS; None measures it.

    Raises:
        SceneError: If too few pixels have a place, or they are scattered.
        OptionError: If the size gives far too many pixels.

    Example:
        >>> rows, cols = np.indices((20, 10))
        >>> grid = fit_grid(30.2 * cols + 1000, 5000 - 30.1 * rows, CRS.from_epsg(32633), "scene")
        >>> grid.shape, grid.resolution, grid.bounds[:2]
        ((21, 11), (30.0, 30.0), (960.0, 4410.0))
    """
    if min(x.shape) < 2:
        raise SceneError(
            f"scene '{name}' is a swath of {x.shape[1]} x {x.shape[0]} pixels, too few to be put onto a grid",
            hint="give a swath of two or more rows and columns",
        )
    side = pixel_size(x, y)
    if side is None:
        raise SceneError(
            f"scene '{name}' has no place for its pixels: their coordinates are missing, in one line or in no order",
            hint="download the file again",
        )
    edge_x, edge_y = (np.r_[_outer(values).ravel(), values.ravel()] for values in (x, y))
    if size is not None:
        return sized_grid(extent_of(edge_x, edge_y), size, crs, name, x.size)
    size = _stated_or_rounded(side, crs, nominal_m)
    return snapped_grid(extent_of(edge_x, edge_y), size, crs, name, x.size)


def pixel_size(x: AnyArray, y: AnyArray) -> float | None:
    """Root of the median area of an image's pixels.

    Args:
        x: (H, W) coordinates of pixel centres, NaN where unknown.
        y: (H, W) as ``x``.

    Returns:
        None if neighbours have no places, if these lie in one line, or if they turn to both sides: pixels of an image
        that are neighbours lie beside each other, and the next line on the same side.
    """
    right, down = np.diff(x, axis=1)[:-1], np.diff(x, axis=0)[:, :-1]
    right_y, down_y = np.diff(y, axis=1)[:-1], np.diff(y, axis=0)[:, :-1]
    areas = right * down_y - right_y * down
    sides = np.hypot(right, right_y) * np.hypot(down, down_y)
    with np.errstate(invalid="ignore"):
        areas = areas[np.isfinite(areas) & (np.abs(areas) > FLAT * sides)]
    if not areas.size or max((areas > 0).mean(), (areas < 0).mean()) < SAME_SIDE:
        return None
    return math.sqrt(float(np.median(np.abs(areas))))


def snapped_grid(
    extent: tuple[float, float, float, float],
    size: float,
    crs: CRS | None,
    name: str,
    image_pixels: int,
) -> Grid:
    """The grid of whole pixels around an extent.

    Args:
        extent: (left, bottom, right, top) in CRS units.
        size: Side of a pixel in CRS units.
        crs: CRS of the grid; None if it has none.
        name: Name of the scene, for messages.
        image_pixels: Number of pixels of the image.

    Raises:
        SceneError: If the grid would be far larger than the image.
    """
    left, bottom, right, top = (value / size for value in extent)
    slack = 1e-6  # an edge on a multiple of the size stays there
    first, last = math.floor(left + slack), math.ceil(right - slack)
    lowest, highest = math.floor(bottom + slack), math.ceil(top - slack)
    height, width = max(1, highest - lowest), max(1, last - first)
    if height * width > MOST_TIMES * image_pixels + 10_000:
        raise SceneError(
            f"scene '{name}' has coordinates that are no image: its {image_pixels:,} pixels would be scattered "
            f"over a grid of {width:,} x {height:,}",
            hint="download the file again",
        )
    transform = Affine(size, 0.0, first * size, 0.0, -size, highest * size)
    return Grid(height, width, transform, crs)


def sized_grid(
    extent: tuple[float, float, float, float],
    size: float,
    crs: CRS | None,
    name: str,
    image_pixels: int,
) -> Grid:
    """The grid of pixels of a size that the user gives; arguments as in `snapped_grid`.

    Raises:
        OptionError: If it would be far larger than the image.
    """
    left, bottom, right, top = extent
    count = (right - left) / size * ((top - bottom) / size)
    if not count <= MOST_TIMES * image_pixels:
        raise OptionError(
            f"--pixel-size {size:g} would make {count:,.0f} pixels of the {image_pixels:,} of scene '{name}'",
            hint=f"give more, in {unit_of(crs)}, or leave --pixel-size out",
        )
    return snapped_grid(extent, size, crs, name, image_pixels)


def unit_of(crs: CRS | None) -> str:
    """The unit of the coordinates of a CRS, for messages."""
    if crs is None:
        return "units of its coordinates"
    unit = "m" if _in_metres(crs) else str(crs.axis_info[0].unit_name)
    return "degrees" if unit == "degree" else unit


def described_grid(grid: Grid) -> str:
    """An upright grid in words, for messages.

    Args:
        grid: The grid.

    Example:
        >>> from affine import Affine
        >>> described_grid(Grid(2, 2, Affine(30, 0, 0, 0, -20, 0), CRS.from_epsg(32633)))
        'an upright grid of 30 x 20 m in WGS 84 / UTM zone 33N'
    """
    sizes = [f"{size:.6g}" for size in grid.resolution]
    side = sizes[0] if sizes[0] == sizes[1] else " x ".join(sizes)
    if grid.crs is None:
        return f"an upright grid of {side}"
    unit = unit_of(grid.crs)
    where = "" if grid.crs.name in _UNNAMED else f" in {grid.crs.name}"
    return f"an upright grid of {side} {unit}{where}"


def extent_of(x: AnyArray, y: AnyArray) -> tuple[float, float, float, float]:
    """(left, bottom, right, top) of places; NaN are left out."""
    return float(np.nanmin(x)), float(np.nanmin(y)), float(np.nanmax(x)), float(np.nanmax(y))


def _in_metres(crs: CRS) -> bool:
    return bool(crs.is_projected and crs.axis_info[0].unit_conversion_factor == 1.0)


def _stated_or_rounded(side: float, crs: CRS, nominal_m: float | None) -> float:
    if nominal_m is None or not _in_metres(crs):
        return rounded(side, 2)
    fits = nominal_m / NOMINAL_FACTOR <= side <= nominal_m * NOMINAL_FACTOR
    return nominal_m if fits else rounded(side, 2)


def rounded(value: float, digits: int) -> float:
    """A number with some digits.

    Args:
        value: A positive number.
        digits: How many, from the first that is not 0.

    Example:
        >>> rounded(30.17, 2), rounded(0.000541, 2)
        (30.0, 0.00054)
    """
    return float(f"{value:.{digits - 1}e}")


def _outer(values: Float64Array) -> Float64Array:
    """Corners of the pixels at the four sides of an image, half a pixel beyond their centres."""
    half = np.empty((4, max(values.shape) + 2))
    half[:] = np.nan
    padded = np.full((values.shape[0] + 2, values.shape[1] + 2), np.nan)
    padded[1:-1, 1:-1] = values
    padded[0, 1:-1] = (3 * values[0] - values[1]) / 2
    padded[-1, 1:-1] = (3 * values[-1] - values[-2]) / 2
    padded[:, 0] = (3 * padded[:, 1] - padded[:, 2]) / 2
    padded[:, -1] = (3 * padded[:, -2] - padded[:, -3]) / 2
    sides = (padded[0], padded[-1], padded[:, 0], padded[:, -1])
    for row, side in zip(half, sides, strict=True):
        row[: len(side)] = side
    return half
