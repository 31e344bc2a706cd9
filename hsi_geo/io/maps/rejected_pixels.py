"""Rejected pixels of a map inside the patches around them."""

from __future__ import annotations

import numpy as np
import rasterio.features
import shapely
from affine import Affine

from hsi_geo.arrays import AnyArray, BoolArray, Float64Array, IntArray
from hsi_geo.io.maps.reader import ReadMap


class RejectedPixels:
    """Remembers which pixels are rejected, as long as a patch around them may go on.

    Args:
        class_map: The map.
    """

    def __init__(self, class_map: ReadMap) -> None:
        self.values = [c.id for c in class_map.rejected if c.id not in class_map.ignored]
        self.width = class_map.grid.width
        self._strips: list[tuple[int, AnyArray, int]] = []  # first row, bits, number of rows

    def add(self, row: int, values: IntArray) -> None:
        """Remember a strip.

        Args:
            row: Its first row.
            values: (rows, columns) values of the map.
        """
        if self.values:
            bits = np.packbits(np.isin(values, self.values), axis=1)
            self._strips.append((row, bits, len(values)))

    def drop_before(self, row: int | None) -> None:
        """Forget strips that end before a row.

        Args:
            row: The row; None forgets all.
        """
        self._strips = [
            strip for strip in self._strips if row is not None and strip[0] + strip[2] > row
        ]

    def shares(self, values: IntArray, pixels: Float64Array, polygons: AnyArray) -> Float64Array:
        """Per cent of rejected pixels in patches and in their holes.

        Args:
            values: (N,) class of each patch.
            pixels: (N,) number of its pixels.
            polygons: (N,) its outline in columns and rows of the map.

        Returns:
            (N,) 100 for patches of rejected pixels; NaN for all if the map rejects none.
        """
        if not self.values:
            return np.full(len(values), np.nan)
        found = np.where(np.isin(values, self.values), 100.0, 0.0)
        with_holes = (shapely.get_num_interior_rings(polygons) > 0) & (found == 0)
        for index in np.flatnonzero(with_holes):
            inside = sum(self._inside(ring) for ring in polygons[index].interiors)
            found[index] = 100.0 * inside / (pixels[index] + inside)
        return found

    def _inside(self, ring: shapely.LinearRing) -> int:
        """Number of rejected pixels in a hole; corners are moved too little to pass the middle of a pixel."""
        left, top, right, bottom = (round(value) for value in ring.bounds)
        mask = self._read(top, bottom, left, right)
        if not mask.any():
            return 0
        hole = rasterio.features.geometry_mask(
            [shapely.Polygon(ring)],
            out_shape=mask.shape,
            transform=Affine.translation(left, top),
            invert=True,
        )
        return int((mask & hole).sum())

    def _read(self, top: int, bottom: int, left: int, right: int) -> BoolArray:
        parts = []
        for row, bits, count in self._strips:
            first, last = max(top - row, 0), min(bottom - row, count)
            if first < last:
                unpacked = np.unpackbits(bits[first:last], axis=1, count=self.width)
                parts.append(unpacked[:, left:right].astype(bool))
        return np.concatenate(parts) if parts else np.zeros((0, 0), bool)
