"""Swaths put on a map grid by the lookup table (GLT) that comes with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hsi_geo.arrays import AnyArray, IndexArray
from hsi_geo.io.readers.base import Pixels
from hsi_geo.tiling import Window

#: Bytes of the swath that are read at once: a window of the map may cross all of it.
MAX_BYTES = 128 << 20


@dataclass(frozen=True, eq=False)
class GltPixels:
    """A swath as its map shows it: each pixel of the map takes one of the swath, or none.

    Attributes:
        swath: Pixels in the order they were recorded.
        swath_shape: (rows, columns) of the swath.
        lookup: Two bands on the map's grid: column and row in the swath, counted from 1; 0 where
            there is none, negative where a neighbour stands in (JPL's convention).
        fill: Value where there is none.
        dtype: Of the swath.
        rows_at_once: Rows of the swath that its file keeps together.
    """

    swath: Pixels
    swath_shape: tuple[int, int]
    lookup: Pixels
    fill: float
    dtype: np.dtype[Any]
    rows_at_once: int = 64

    def read(self, bands: IndexArray, window: Window) -> AnyArray:
        """See `Pixels.read`."""
        cols, rows = np.abs(self.lookup.read(np.arange(2), window).astype(np.int64)) - 1
        height, width = self.swath_shape
        known = (cols >= 0) & (rows >= 0) & (cols < width) & (rows < height)
        values = np.full((len(bands), *window.shape), self.fill, self.dtype)
        step = self._step(len(bands))
        for strip in np.unique(rows[known] // step):
            here = known & (rows // step == strip)
            first, left = int(rows[here].min()), int(cols[here].min())
            size = int(rows[here].max()) - first + 1, int(cols[here].max()) - left + 1
            part = self.swath.read(bands, Window(first, left, *size))
            values[:, here] = part[:, rows[here] - first, cols[here] - left]
        return values

    def _step(self, bands: int) -> int:
        """Rows read at once: whole chunks of the file as long as they fit."""
        row_bytes = self.swath_shape[1] * bands * self.dtype.itemsize
        fitting = max(1, MAX_BYTES // row_bytes)
        return min(max(64, self.rows_at_once), fitting)
