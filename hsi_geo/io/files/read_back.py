"""Rasters are read back after they were written."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.windows

from hsi_geo.errors import OutputError
from hsi_geo.tiling import Window


def require_written(
    path: Path,
    written: Sequence[tuple[Window, int]],
    what: str = "map",
    masks: Sequence[tuple[Window, int]] = (),
) -> None:
    """Read a file back: GDAL does not report a disk that is full when it closes a file, or in its threads.

    Args:
        path: Raster that was written.
        written: Each window that was written, and the checksum of its values.
        what: What messages call the file.
        masks: As `written`, of the mask of all bands.

    Raises:
        OutputError: If it does not hold what was written, or its overviews cannot be read.
    """
    with rasterio.open(path) as file:
        held = all(
            checksum(file.read(window=_pixels(one))) == expected for one, expected in written
        )
        held = held and all(
            checksum(file.read_masks(1, window=_pixels(one))) == expected for one, expected in masks
        )
        if not held:
            raise OutputError(
                f"{what} '{path.name}' does not hold what was written to it",
                hint="check the disk and its free space",
            )
        levels = len(file.overviews(1))
    for level in range(levels):
        with rasterio.open(path, overview_level=level) as file:
            for _, window in file.block_windows(1):
                file.read(window=window)


def _pixels(window: Window) -> rasterio.windows.Window:
    return rasterio.windows.Window(window.col, window.row, window.width, window.height)


def checksum(values: npt.NDArray[Any]) -> int:
    """Checksum (CRC-32) of the values of a block, the same for both orders of bytes.

    Args:
        values: (bands, H, W) values.
    """
    native = values.astype(values.dtype.newbyteorder("="), copy=False)
    return zlib.crc32(np.ascontiguousarray(native).data)
