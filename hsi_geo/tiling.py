"""Where pixels are: grids, windows, and how windows cover a scene.

Order is fixed here for the whole package: our own bounds are (left, bottom, right, top), shapes
are (rows, columns), and rows count in the order of the file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from affine import Affine
    from pyproj import CRS

Bounds = tuple[float, float, float, float]

#: A turn that moves no corner of a scene by this share of a pixel is none.
STILL_PX = 1e-3


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of pixels; it may reach beyond the scene it is meant for.

    Attributes:
        row: First row.
        col: First column.
        height: Rows.
        width: Columns.
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
        """(rows, columns) as slices, for arrays this window lies inside of."""
        return slice(self.row, self.row + self.height), slice(self.col, self.col + self.width)

    def grow(self, pixels: int) -> Window:
        """The window with ``pixels`` more on each of its four sides."""
        return Window(
            self.row - pixels, self.col - pixels, self.height + 2 * pixels, self.width + 2 * pixels
        )

    def clip(self, height: int, width: int) -> Window:
        """The part of the window inside a (height, width) scene; empty sides become 0."""
        top, left = max(self.row, 0), max(self.col, 0)
        bottom, right = min(self.row + self.height, height), min(self.col + self.width, width)
        return Window(top, left, max(bottom - top, 0), max(right - left, 0))

    def relative_to(self, other: Window) -> Window:
        """The same pixels, counted from the first pixel of ``other``."""
        return Window(self.row - other.row, self.col - other.col, self.height, self.width)


@dataclass(frozen=True, eq=False)
class Grid:
    """Size and place of a scene: every geometric question is asked of it.

    Attributes:
        height: Rows.
        width: Columns.
        transform: Affine from (column, row) corners to coordinates.
        crs: Coordinate reference system, None if the file has none.
    """

    height: int
    width: int
    transform: Affine
    crs: CRS | None

    def __post_init__(self) -> None:
        """Forget turns that move no corner by `STILL_PX`: other programs' last digits."""
        t = self.transform
        if not (t.b or t.d):
            return
        moved = abs(t.b) * self.height, abs(t.d) * self.width
        if moved[0] < STILL_PX * abs(t.a) and moved[1] < STILL_PX * abs(t.e):
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
        """(left, bottom, right, top) of a window, in CRS units."""
        (top, bottom), (left, right) = (
            (window.row, window.row + window.height),
            (window.col, window.col + window.width),
        )
        corners = [self.transform @ (x, y) for x in (left, right) for y in (top, bottom)]
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        return min(xs), min(ys), max(xs), max(ys)

    def window_of(self, bounds: Bounds) -> Window:
        """The window whose bounds are nearest to ``bounds`` (left, bottom, right, top)."""
        left, bottom, right, top = bounds
        inverse = ~self.transform
        corners = [inverse @ (x, y) for x in (left, right) for y in (bottom, top)]
        cols, rows = [x for x, _ in corners], [y for _, y in corners]
        row, col = round(min(rows)), round(min(cols))
        return Window(row, col, round(max(rows) - min(rows)), round(max(cols) - min(cols)))

    def transform_of(self, window: Window) -> Affine:
        """The affine of a window's own pixels."""
        return self.transform @ type(self.transform).translation(window.col, window.row)

    def pixels_at(
        self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """(rows, columns) of the pixels under points; may lie outside the grid.

        Points that no projection can place do.
        """
        inverse = ~self.transform
        with np.errstate(invalid="ignore"):  # infinity less infinity
            cols = inverse.a * x + inverse.b * y + inverse.c
            rows = inverse.d * x + inverse.e * y + inverse.f
        known = np.isfinite(rows) & np.isfinite(cols)
        rows, cols = np.where(known, rows, -1.0), np.where(known, cols, -1.0)
        return np.floor(rows).astype(np.int64), np.floor(cols).astype(np.int64)

    @property
    def origin_px(self) -> tuple[int, int]:
        """(row, column) of the first pixel on the pixel grid of the whole CRS.

        Two files cut from one scene agree on it, whatever their corners: this is what windows
        are anchored to. Grids are commonly aligned to whole or to half pixels, so the rounding
        edge is put at neither.
        """
        xres, yres = self.resolution
        col = math.floor(self.transform.c / xres * math.copysign(1, self.transform.a) + 0.3)
        row = math.floor(self.transform.f / yres * math.copysign(1, self.transform.e) + 0.3)
        return row, col


@dataclass(frozen=True, slots=True)
class Tiling:
    """How square windows cover the plane: they belong to the model, not to a file.

    Attributes:
        size_px: Side of a window.
        stride_px: Step from one window to the next, at most ``size_px``.
    """

    size_px: int
    stride_px: int

    def __post_init__(self) -> None:
        """Check the two against each other.

        Raises:
            ValueError: If windows would be empty or leave gaps.
        """
        if not 1 <= self.stride_px <= self.size_px:
            raise ValueError(f"stride {self.stride_px} px is not in 1..{self.size_px} px")

    def covering(self, block: Window, origin_px: tuple[int, int]) -> WindowGrid:
        """All windows of the anchored grid_of_windows that touch ``block``.

        Args:
            block: Pixels to cover, counted in the scene.
            origin_px: `Grid.origin_px` of the scene.

        Returns:
            The grid_of_windows, counted in the scene. It depends on the scene's place, not its corner:
            a pixel lies in the same windows whichever block asks.
        """
        first_row, rows = self._along(block.row + origin_px[0], block.height)
        first_col, cols = self._along(block.col + origin_px[1], block.width)
        return WindowGrid(self, first_row - origin_px[0], first_col - origin_px[1], rows, cols)

    def _along(self, first_px: int, length_px: int) -> tuple[int, int]:
        """(start, count) of the windows at multiples of the stride that touch a stretch."""
        first = (first_px - self.size_px) // self.stride_px + 1
        last = (first_px + length_px - 1) // self.stride_px
        return first * self.stride_px, last - first + 1

    def weights(self) -> npt.NDArray[np.float32]:
        """(size_px, size_px) weights of a window's pixels in the blend, all above 0.

        A raised cosine sampled at pixel centres, so that it does not vanish at the rim: a pixel
        seen by one window only still gets its class.
        """
        centres = (np.arange(self.size_px) + 0.5) / self.size_px
        ramp = np.sin(np.pi * centres) ** 2
        return np.outer(ramp, ramp).astype(np.float32)


@dataclass(frozen=True, slots=True)
class WindowGrid:
    """A regular run of overlapping windows.

    Attributes:
        tiling: Window size and stride.
        row: First row of the first window.
        col: First column of the first window.
        rows: Windows downwards.
        cols: Windows across.
    """

    tiling: Tiling
    row: int
    col: int
    rows: int
    cols: int

    @property
    def extent(self) -> Window:
        """The pixels the windows cover together."""
        size, stride = self.tiling.size_px, self.tiling.stride_px
        return Window(
            self.row, self.col, (self.rows - 1) * stride + size, (self.cols - 1) * stride + size
        )


def blocks(height: int, width: int, rows: int, cols: int) -> Iterator[Window]:
    """Cut a (height, width) scene into blocks of at most (rows, cols), row by row."""
    for row in range(0, height, rows):
        for col in range(0, width, cols):
            yield Window(row, col, min(rows, height - row), min(cols, width - col))


def spread_windows(height: int, width: int, size_px: int, count: int) -> list[Window]:
    """At most ``count`` windows spread evenly over a scene, all inside it.

    A sample of a scene that is too large to be read whole; all of one that is not.
    """
    rows, cols = -(-height // size_px), -(-width // size_px)
    if rows * cols <= count:
        return list(blocks(height, width, size_px, size_px))
    chosen = np.linspace(0, rows * cols - 1, count).round().astype(np.int64)
    return [
        Window(size_px * (i // cols), size_px * (i % cols), size_px, size_px).clip(height, width)
        for i in chosen.tolist()
    ]
