"""Reading windows of rasters with rasterio."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import rasterio
import rasterio.windows
from rasterio.errors import RasterioError

from hsi_geo.arrays import AnyArray, IndexArray
from hsi_geo.errors import SceneError
from hsi_geo.io.readers.base import plain, unreadable
from hsi_geo.io.readers.gdal import open_raster, quiet_gdal
from hsi_geo.io.readers.handles import opened
from hsi_geo.io.readers.masks import MaskFill
from hsi_geo.io.readers.vrt_blocks import BlockLines
from hsi_geo.tiling import Window


@dataclass(frozen=True, eq=False)
class RasterPixels:
    """Stored values of a raster, read by rasterio.

    Attributes:
        path: Name that GDAL opens.
        name: Name of the scene, for messages.
        stamp: State of the file when it was described, see `paths.stamp`.
        lines: Block boundaries of a mosaic's files, along which windows are split; None for no splits.
        fill: Values of masked pixels; None if the file has no mask.
        files: Further files that hold values, such as headers, masks and the sources of a mosaic.
        block_bytes: Size of an unpacked block in bytes; 0 if it is not known.
    """

    path: str
    name: str
    stamp: tuple[int, int]
    lines: BlockLines | None = None
    fill: MaskFill | None = None
    files: tuple[str, ...] = ()
    block_bytes: int = 0

    def read(self, bands: IndexArray, window: Window) -> AnyArray:
        """(B, height, width) stored values; see `Pixels.read`.

        Raises:
            SceneError: If the file is damaged or cut short.
        """
        numbers = [int(band) + 1 for band in bands]
        try:
            with quiet_gdal(self.path, self.block_bytes):
                handle = opened((self.path, self.stamp), lambda: open_raster(self.path))
                if self.lines is None:
                    return self._read_part(handle, numbers, window)
                dtype = np.result_type(*(handle.dtypes[number - 1] for number in numbers))
                dtype = dtype if self.fill is None else self.fill.dtype
                values = np.empty((len(numbers), *window.shape), dtype)
                for part in self.lines.parts(window):
                    rows, cols = part.relative_to(window).slices
                    values[:, rows, cols] = self._read_part(handle, numbers, part)
                return values
        except RasterioError as error:
            reason = plain(error)
            if "cannot allocate" in reason or "out of memory" in reason.lower():
                with quiet_gdal(self.path), open_raster(self.path) as source:
                    raise too_large_blocks(source, self.name) from error
            raise unreadable(self.name, window, reason) from error

    def _read_part(
        self, handle: rasterio.DatasetReader, numbers: list[int], window: Window
    ) -> AnyArray:
        stored = _read(handle, numbers, window)
        if self.fill is None:
            return stored
        return self.fill.apply(stored, handle, numbers, _gdal_window(window))


def _gdal_window(window: Window) -> rasterio.windows.Window:
    return rasterio.windows.Window(window.col, window.row, window.width, window.height)


def _read(handle: rasterio.DatasetReader, numbers: list[int], window: Window) -> AnyArray:
    pixels = _gdal_window(window)
    dtypes = {handle.dtypes[number - 1] for number in numbers}
    if len(dtypes) < 2:
        return np.asarray(handle.read(numbers, window=pixels))
    bands = [
        handle.read(number, window=pixels) for number in numbers
    ]  # rasterio reads bands of one type only
    return np.stack(bands).astype(np.result_type(*dtypes), copy=False)


def block_bytes(source: rasterio.DatasetReader, lines: BlockLines | None = None) -> int:
    """Number of bytes that GDAL unpacks to read one pixel of an open raster.

    Args:
        source: The open raster.
        lines: Block boundaries of its files, which hold all bands of a pixel together, if it is a mosaic.
    """
    rows, cols = max(source.block_shapes) if lines is None else lines.block_px
    interleaving = source.interleaving
    is_whole = lines is not None or (interleaving and interleaving.value.upper() == "PIXEL")
    bands = source.count if is_whole else 1
    return int(rows * cols * bands * max(np.dtype(dtype).itemsize for dtype in source.dtypes))


def too_large_blocks(source: rasterio.DatasetReader, name: str) -> SceneError:
    """The error for a raster whose blocks do not fit into memory.

    Args:
        source: The open raster.
        name: Name of the scene, for messages.
    """
    rows, cols = max(source.block_shapes)
    return SceneError(
        f"scene '{name}' is stored in blocks of {rows} x {cols} pixels, and each of "
        f"{block_bytes(source) / 2**30:.1f} GiB has to be unpacked as a whole, which does not fit "
        "into memory",
        hint="write it again in tiles where it was made (GDAL's option TILED=YES)",
    )
