"""Small files whose values are read once, though several arrays show them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from hsi_geo.arrays import AnyArray, IndexArray
from hsi_geo.io.readers import SceneFile
from hsi_geo.io.readers.base import Pixels
from hsi_geo.io.scenes.properties import SMALL_BYTES
from hsi_geo.tiling import Window


class HeldPixels:
    """Stored values that stay in memory after the first read.

    Args:
        pixels: Reads the values.
        shape: (rows, columns) of the grid.
    """

    def __init__(self, pixels: Pixels, shape: tuple[int, int]) -> None:
        self.pixels = pixels
        self.whole = Window(0, 0, *shape)
        self.held: tuple[IndexArray, AnyArray] | None = None

    def release(self) -> None:
        """Free the values; the next read gets them again."""
        self.held = None

    def read(self, bands: IndexArray, window: Window) -> AnyArray:
        """See `readers.base.Pixels.read`. The result cannot be changed.

        Args:
            bands: (B,) indices of bands. Only those of the first call are kept.
            window: Pixels.
        """
        if self.held is None:
            values = self.pixels.read(bands, self.whole)
            values.flags.writeable = False  # all who read get the same array
            self.held = bands, values
        held_bands, values = self.held
        if not np.array_equal(bands, held_bands):
            return self.pixels.read(bands, window)
        rows, cols = window.slices
        return values[:, rows, cols]


@contextmanager
def held_if_small(file: SceneFile) -> Iterator[SceneFile]:
    """Keep the values of a file after the first read, if they take little memory.

    Args:
        file: From a reader.

    Yields:
        The file. Its values are freed at the end of the block, whoever still has the file. A file that is compressed as a
        whole is passed on as it is.
    """
    size = file.band_count * file.grid.height * file.grid.width * file.dtype.itemsize
    if file.packed or size > SMALL_BYTES:
        yield file
        return
    held = HeldPixels(file.pixels, file.grid.shape)
    try:
        yield dataclasses.replace(file, pixels=held)
    finally:
        held.release()
