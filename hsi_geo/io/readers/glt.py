"""Swaths on a map grid, by their geographic lookup table (GLT)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hsi_geo.arrays import AnyArray, BoolArray, Float64Array, IndexArray, IntArray
from hsi_geo.io.readers.base import Pixels
from hsi_geo.io.readers.quality_layers import BandFlags, Flags
from hsi_geo.tiling import Window

#: Bytes of the swath that are read at once at most. A window of the map may cross the whole swath.
MAX_BYTES = 128 << 20

#: Rows of the swath that are read at once of a file with lower chunks.
STRIP_ROWS = 64


@dataclass(frozen=True, eq=False)
class GltPixels:
    """Pixels of a map. Each is one pixel of a swath, or empty.

    Attributes:
        swath: Pixels of the swath, in the order of acquisition.
        swath_shape: (rows, columns) of the swath.
        lookup: Two bands on the map's grid: column and row in the swath, counted from 1. 0 means no
            pixel, a negative number a neighbouring pixel (JPL's convention).
        fill: (C,) value of map pixels without a swath pixel in each band, or one value for all.
        dtype: Type of the swath's stored values.
        rows_at_once: Number of swath rows in one chunk of the file.
    """

    swath: Pixels
    swath_shape: tuple[int, int]
    lookup: Pixels
    fill: Float64Array | float
    dtype: np.dtype[Any]
    rows_at_once: int = 64

    def read(self, bands: IndexArray, window: Window) -> AnyArray:
        """See `Pixels.read`."""
        values: AnyArray = np.empty((len(bands), *window.shape), self.dtype)
        self.read_into(values, bands, window, self._step(len(bands)))
        return values

    def unpack(self, values: AnyArray) -> None:
        """Read all pixels of the map in one pass over the swath, for files that cannot be read by windows.

        Args:
            values: (C, height, width) array that is filled, in memory or on disk.
        """
        bands = np.arange(len(values))
        window = Window(0, 0, values.shape[1], values.shape[2])
        self.read_into(values, bands, window, self._fitting_rows(len(bands)))

    def read_into(self, values: AnyArray, bands: IndexArray, window: Window, step: int) -> None:
        """Fill an array with a window.

        Args:
            values: (B, height, width) array that is filled.
            bands: (B,) indices of the bands from 0, in any order.
            window: Window inside the map.
            step: Number of rows of the swath that are read at a time.
        """
        cols, rows, known = _swath_pixels(self.lookup, self.swath_shape, window)
        fill = np.asarray(self.fill)
        values[:] = fill[bands][:, None, None] if fill.ndim else fill
        for strip in np.unique(rows[known] // step):
            here = known & (rows // step == strip)
            first, left = int(rows[here].min()), int(cols[here].min())
            size = int(rows[here].max()) - first + 1, int(cols[here].max()) - left + 1
            part = self.swath.read(bands, Window(first, left, *size))
            values[:, here] = part[:, rows[here] - first, cols[here] - left]

    def _step(self, bands: int) -> int:
        """Number of rows to read at once: whole chunks of the file, if they fit into `MAX_BYTES`."""
        whole = self.rows_at_once * max(1, STRIP_ROWS // self.rows_at_once)
        return min(whole, self._fitting_rows(bands))

    def _fitting_rows(self, bands: int) -> int:
        return max(1, MAX_BYTES // (self.swath_shape[1] * bands * self.dtype.itemsize))


@dataclass(frozen=True, eq=False)
class GltFlags:
    """Flags of a swath on a map.

    Attributes:
        flags: Flags of the swath's pixels.
        swath_shape: (rows, columns) of the swath.
        lookup: See `GltPixels`.
    """

    flags: Flags
    swath_shape: tuple[int, int]
    lookup: Pixels

    def read(self, window: Window) -> tuple[BoolArray, BoolArray]:
        """See `quality_layers.Flags.read`. Nothing is known where there is no pixel of the swath."""
        cols, rows, inside = _swath_pixels(self.lookup, self.swath_shape, window)
        flagged, known = np.zeros(window.shape, bool), np.zeros(window.shape, bool)
        if inside.any():
            part, places = _part(rows[inside], cols[inside])
            found = self.flags.read(part)
            flagged[inside], known[inside] = found[0][places], found[1][places]
        return flagged, known


@dataclass(frozen=True, eq=False)
class GltBandFlags:
    """Flags of the single bands of a swath on a map.

    Attributes:
        flags: Flags of the swath's bands.
        swath_shape: (rows, columns) of the swath.
        lookup: See `GltPixels`.
    """

    flags: BandFlags
    swath_shape: tuple[int, int]
    lookup: Pixels

    def read_bands(self, bands: IndexArray, window: Window) -> BoolArray:
        """See `quality_layers.BandFlags.read_bands`. Nothing is flagged where there is no pixel of the swath."""
        cols, rows, inside = _swath_pixels(self.lookup, self.swath_shape, window)
        flagged = np.zeros((len(bands), *window.shape), bool)
        if inside.any():
            part, places = _part(rows[inside], cols[inside])
            flagged[:, inside] = self.flags.read_bands(bands, part)[:, *places]
        return flagged


def _part(rows: IntArray, cols: IntArray) -> tuple[Window, tuple[IntArray, IntArray]]:
    """The window of a swath around some pixels, and their rows and columns in it."""
    first, left = int(rows.min()), int(cols.min())
    size = int(rows.max()) - first + 1, int(cols.max()) - left + 1
    return Window(first, left, *size), (rows - first, cols - left)


def _swath_pixels(
    lookup: Pixels, shape: tuple[int, int], window: Window
) -> tuple[IntArray, IntArray, BoolArray]:
    """Columns and rows of the swath, from 0, that a window shows, and where it shows any."""
    cols, rows = np.abs(lookup.read(np.arange(2), window).astype(np.int64)) - 1
    known = (cols >= 0) & (rows >= 0) & (cols < shape[1]) & (rows < shape[0])
    return cols, rows, known


def glt_fill_value(nodata: float | None, dtype: np.dtype[Any]) -> float:
    """Value of map pixels that no pixel of the swath covers.

    Args:
        nodata: The swath's nodata value; None or NaN if it has none.
        dtype: Type of its stored values.

    Returns:
        The nodata value; else -9999, or the largest number of an integer type that cannot hold that.

    Example:
        >>> glt_fill_value(None, np.dtype("float32")), glt_fill_value(None, np.dtype("uint8"))
        (-9999.0, 255.0)
    """
    if nodata is not None and np.isfinite(nodata):
        return nodata
    if np.issubdtype(dtype, np.integer) and np.iinfo(dtype).min > -9999:
        return float(np.iinfo(dtype).max)
    return -9999.0
