"""Pixel grids, windows of pixels, and how overlapping windows cover a scene.

The whole package uses the same order: bounds are (left, bottom, right, top), shapes are (rows,
columns), and rows are numbered in the order of the file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hsi_geo.arrays import Float32Array, Float64Array, IntArray

if TYPE_CHECKING:
    from affine import Affine
    from pyproj import CRS

Bounds = tuple[float, float, float, float]

#: Numbers of rows and columns are smaller, so that they fit into an integer.
MOST_PX = 2.0**62

#: A rotation is ignored if it moves no corner of a scene by this share of a pixel.
NEGLIGIBLE_PX = 1e-3


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of pixels, which may extend beyond the scene.

    Attributes:
        row: First row, negative above the scene.
        col: First column, negative left of the scene.
        height: Number of rows.
        width: Number of columns.

    Example:
        >>> Window(-2, 3, 10, 10).clip(6, 40)
        Window(row=0, col=3, height=6, width=10)
    """

    row: int
    col: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.height, self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """(rows, columns) as slices of an array that contains the window."""
        return slice(self.row, self.row + self.height), slice(self.col, self.col + self.width)

    def grow(self, pixels: int) -> Window:
        """The window with ``pixels`` more pixels on each of its four sides.

        Args:
            pixels: Width of the margin; a negative one makes the window smaller.
        """
        return Window(
            self.row - pixels, self.col - pixels, self.height + 2 * pixels, self.width + 2 * pixels
        )

    def clip(self, height: int, width: int) -> Window:
        """The part of the window inside a (height, width) scene; 0 rows or columns if there is none.

        Args:
            height: Number of rows of the scene.
            width: Number of columns of the scene.
        """
        top, left = max(self.row, 0), max(self.col, 0)
        bottom, right = min(self.row + self.height, height), min(self.col + self.width, width)
        return Window(top, left, max(bottom - top, 0), max(right - left, 0))

    def relative_to(self, other: Window) -> Window:
        """The same pixels, with rows and columns counted from the first pixel of ``other``.

        Args:
            other: Window in the same rows and columns.
        """
        return Window(self.row - other.row, self.col - other.col, self.height, self.width)


@dataclass(frozen=True, eq=False)
class SensorFrame:
    """Where the rows and columns of a sensor lie on the Earth.

    Attributes:
        upright: An upright grid over the image; it gives the CRS and the pixel size.
        locate: Function from (N,) x and y in its CRS to (N,) columns and rows of the image, with fractions; (0, 0)
            is the upper left corner of the image. Places beside the image lie outside of it.
        centres: Function from (N,) columns and rows, from 0, to x and y of these pixels' centres; NaN where unknown.
    """

    upright: Grid
    locate: Callable[[Float64Array, Float64Array], tuple[Float64Array, Float64Array]]
    centres: Callable[[IntArray, IntArray], tuple[Float64Array, Float64Array]]


@dataclass(frozen=True, eq=False)
class Grid:
    """Size, transform and CRS of a scene.

    Attributes:
        height: Number of rows.
        width: Number of columns.
        transform: Affine from (column, row) of pixel corners to coordinates.
        crs: Coordinate reference system, None if the file has none.
        frame: Where the pixels lie, if they are the rows and columns of a sensor; the grid has no CRS then.

    Example:
        >>> from affine import Affine
        >>> grid = Grid(4, 20, Affine(30.0, 0.0, 5000.0, 0.0, -30.0, 9000.0), None)
        >>> grid.bounds
        (5000.0, 8880.0, 5600.0, 9000.0)
        >>> grid.bounds_of(Window(1, 2, 1, 1))
        (5060.0, 8940.0, 5090.0, 8970.0)
    """

    height: int
    width: int
    transform: Affine
    crs: CRS | None
    frame: SensorFrame | None = None

    def has_crs_of(self, other: Grid) -> bool:
        """Whether coordinates are the same in the CRS of another grid: x comes before y, whatever the axes of a CRS are.

        Args:
            other: A grid; two without a CRS have the same.
        """
        if self.crs is None or other.crs is None:
            return self.crs is other.crs
        return self.crs is other.crs or self.crs.equals(other.crs, ignore_axis_order=True)

    def __post_init__(self) -> None:
        """Remove rotations that move no corner by `NEGLIGIBLE_PX`: rounding errors of other programs."""
        t = self.transform
        if not (t.b or t.d):
            return
        moved = abs(t.b) * self.height, abs(t.d) * self.width
        if moved[0] < NEGLIGIBLE_PX * abs(t.a) and moved[1] < NEGLIGIBLE_PX * abs(t.e):
            upright = type(t)(t.a, 0.0, t.c, 0.0, t.e, t.f)
            object.__setattr__(self, "transform", upright)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.height, self.width

    @property
    def window(self) -> Window:
        """All pixels."""
        return Window(0, 0, self.height, self.width)

    @property
    def resolution(self) -> tuple[float, float]:
        """(x, y) size of a pixel in CRS units, both positive."""
        return abs(self.transform.a), abs(self.transform.e)

    @property
    def rotation_degrees(self) -> float:
        """Angle between the rows and the x axis; 0 for an upright grid."""
        return math.degrees(math.atan2(self.transform.d, self.transform.a)) % 180.0

    @property
    def is_rotated(self) -> bool:
        """Whether rows or columns do not run along the axes."""
        return bool(self.transform.b or self.transform.d)

    @property
    def bounds(self) -> Bounds:
        """(left, bottom, right, top) of all pixels, in CRS units."""
        return self.bounds_of(self.window)

    def bounds_of(self, window: Window) -> Bounds:
        """(left, bottom, right, top) of a window, in CRS units.

        Args:
            window: Pixels, in rows and columns of the grid; they may lie outside it.
        """
        (top, bottom), (left, right) = (
            (window.row, window.row + window.height),
            (window.col, window.col + window.width),
        )
        corners = [self.transform @ (x, y) for x in (left, right) for y in (top, bottom)]
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        return min(xs), min(ys), max(xs), max(ys)

    def window_of(self, bounds: Bounds) -> Window:
        """The window with the bounds nearest to (left, bottom, right, top) in CRS units.

        Args:
            bounds: (left, bottom, right, top) in CRS units; they may lie outside the grid.
        """
        left, bottom, right, top = bounds
        inverse = ~self.transform
        corners = [inverse @ (x, y) for x in (left, right) for y in (bottom, top)]
        cols, rows = [x for x, _ in corners], [y for _, y in corners]
        row, col = round(min(rows)), round(min(cols))
        return Window(row, col, round(max(rows) - min(rows)), round(max(cols) - min(cols)))

    def transform_of(self, window: Window) -> Affine:
        """Affine from (column, row) of a window's own pixel corners to coordinates.

        Args:
            window: Pixels, in rows and columns of the grid; they may lie outside it.
        """
        return self.transform @ type(self.transform).translation(window.col, window.row)

    def pixels_at(self, x: Float64Array, y: Float64Array) -> tuple[IntArray, IntArray]:
        """Pixels that contain points.

        Args:
            x: (N,) coordinates in CRS units.
            y: (N,) coordinates in CRS units.

        Returns:
            (N,) rows and (N,) columns. They may lie outside the grid; those of points with infinite, NaN or absurd
            coordinates are -1.
        """
        inverse = ~self.transform
        with np.errstate(invalid="ignore"):  # infinity less infinity
            cols = inverse.a * x + inverse.b * y + inverse.c
            rows = inverse.d * x + inverse.e * y + inverse.f
        known = (np.abs(rows) < MOST_PX) & (np.abs(cols) < MOST_PX)
        rows, cols = np.where(known, rows, -1.0), np.where(known, cols, -1.0)
        return np.floor(rows).astype(np.int64), np.floor(cols).astype(np.int64)

    @property
    def origin_px(self) -> tuple[int, int]:
        """(row, column) of the first pixel on the pixel grid of the whole CRS.

        Windows are anchored to this pixel grid, so that two files cut from one scene get the same
        windows. Grids are commonly aligned to whole or to half pixels, so the rounding threshold lies
        at neither.
        """
        xres, yres = self.resolution
        col = math.floor(self.transform.c / xres * math.copysign(1, self.transform.a) + 0.3)
        row = math.floor(self.transform.f / yres * math.copysign(1, self.transform.e) + 0.3)
        return row, col


@dataclass(frozen=True, slots=True)
class Tiling:
    """Size and stride of the square windows of a model.

    Attributes:
        size_px: Side of a window in pixels.
        stride_px: Step from one window to the next in pixels, at most ``size_px``.

    Example:
        >>> windows = Tiling(8, 4).covering(Window(0, 0, 4, 4), origin_px=(0, 0))
        >>> windows.rows, windows.cols, windows.extent
        (2, 2, Window(row=-4, col=-4, height=12, width=12))
    """

    size_px: int
    stride_px: int

    def __post_init__(self) -> None:
        """Check size and stride against each other.

        Raises:
            ValueError: If windows would be empty or leave gaps.
        """
        if not 1 <= self.stride_px <= self.size_px:
            raise ValueError(f"stride {self.stride_px} px is not in 1..{self.size_px} px")

    def covering(self, block: Window, origin_px: tuple[int, int]) -> WindowGrid:
        """All windows that overlap a block.

        Args:
            block: Pixels to cover, in rows and columns of the scene.
            origin_px: `Grid.origin_px` of the scene.

        Returns:
            The windows, in rows and columns of the scene. They are anchored to the pixel grid of the CRS:
            a pixel lies in the same windows whatever the block and the corner of the scene.
        """
        first_row, rows = self._along(block.row + origin_px[0], block.height)
        first_col, cols = self._along(block.col + origin_px[1], block.width)
        return WindowGrid(self, first_row - origin_px[0], first_col - origin_px[1], rows, cols)

    def _along(self, first_px: int, length_px: int) -> tuple[int, int]:
        """(start, count) of the windows at multiples of the stride that overlap a range of pixels."""
        first = (first_px - self.size_px) // self.stride_px + 1
        last = (first_px + length_px - 1) // self.stride_px
        return first * self.stride_px, last - first + 1

    def weights(self) -> Float32Array:
        """(size_px, size_px) weights for averaging overlapping windows, all above 0.

        A raised cosine (Hann window) sampled at pixel centres, so that it does not vanish at the edge: a
        pixel that lies in one window only still gets a class.
        """
        centres = (np.arange(self.size_px) + 0.5) / self.size_px
        ramp = np.sin(np.pi * centres) ** 2
        return np.outer(ramp, ramp).astype(np.float32)


@dataclass(frozen=True, slots=True)
class WindowGrid:
    """A regular grid of overlapping windows.

    Attributes:
        tiling: Size and stride of the windows.
        row: First row of the first window.
        col: First column of the first window.
        rows: Number of windows from top to bottom.
        cols: Number of windows from left to right.
    """

    tiling: Tiling
    row: int
    col: int
    rows: int
    cols: int

    @property
    def extent(self) -> Window:
        """The pixels that the windows cover together."""
        size, stride = self.tiling.size_px, self.tiling.stride_px
        return Window(
            self.row, self.col, (self.rows - 1) * stride + size, (self.cols - 1) * stride + size
        )


def blocks(height: int, width: int, rows: int, cols: int) -> Iterator[Window]:
    """Cut a scene into blocks, row by row.

    Args:
        height: Number of rows of the scene.
        width: Number of columns of the scene.
        rows: Largest number of rows of a block.
        cols: Largest number of columns of a block.

    Yields:
        The blocks, smaller at the lower and right edges.

    Example:
        >>> [block.shape for block in blocks(5, 4, 3, 4)]
        [(3, 4), (2, 4)]
    """
    for row in range(0, height, rows):
        for col in range(0, width, cols):
            yield Window(row, col, min(rows, height - row), min(cols, width - col))


def spread_windows(height: int, width: int, size_px: int, count: int) -> list[Window]:
    """Windows spread evenly over a scene: a sample of a large scene, all of a small one.

    Args:
        height: Number of rows of the scene.
        width: Number of columns of the scene.
        size_px: Side of a window in pixels; windows at the edges are cut off there.
        count: Largest number of windows.

    Returns:
        The windows, all inside the scene and without overlap.

    Example:
        >>> [(window.row, window.col) for window in spread_windows(100, 300, 50, 3)]
        [(0, 0), (50, 0), (50, 250)]
    """
    rows, cols = -(-height // size_px), -(-width // size_px)
    if rows * cols <= count:
        return list(blocks(height, width, size_px, size_px))
    chosen = np.linspace(0, rows * cols - 1, count).round().astype(np.int64)
    return [
        Window(size_px * (i // cols), size_px * (i % cols), size_px, size_px).clip(height, width)
        for i in chosen.tolist()
    ]
