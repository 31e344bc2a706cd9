"""Masks of defective pixels with a band for each band of the image, such as EnMAP's QL_PIXELMASK."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.windows import Window as GdalWindow

from hsi_geo.arrays import AnyArray, BoolArray, Float64Array, IndexArray
from hsi_geo.errors import SceneError
from hsi_geo.io.files.paths import stamp
from hsi_geo.io.files.references import require_local
from hsi_geo.io.readers.gdal import open_raster, quiet_gdal
from hsi_geo.io.readers.handles import opened
from hsi_geo.io.readers.quality_layers import unreadable_layer
from hsi_geo.tiling import Window

#: Number of pixels that the mask does not cover.
_BACKGROUND = 255

#: Side of the sample from which a mask is checked, and number of its bands.
_SAMPLE_PX, _SAMPLE_BANDS = 64, 5


@dataclass(frozen=True, eq=False)
class BandDefects:
    """Numbers other than 0 for the bands of a pixel that are defective.

    A pixel is flagged where more than half of the bands of a detector are defective.

    Attributes:
        path: Name that GDAL opens. It is opened when flags are read.
        starts: Index of the first band of each detector, and the number of all bands.
    """

    path: str
    starts: tuple[int, ...]

    def read(self, window: Window) -> tuple[BoolArray, BoolArray]:
        """See `quality_layers.Flags.read`."""
        defective, known = self._decode(np.arange(self.starts[-1]), window)
        flagged = np.zeros(window.shape, bool)
        for first, end in zip(self.starts, self.starts[1:], strict=False):
            flagged |= 2 * defective[first:end].sum(axis=0) > end - first
        return flagged, known.any(axis=0)

    def read_bands(self, bands: IndexArray, window: Window) -> BoolArray:
        """See `quality_layers.BandFlags.read_bands`."""
        return self._decode(bands, window)[0]

    def _decode(self, bands: IndexArray, window: Window) -> tuple[BoolArray, BoolArray]:
        stored = self._read(bands, window)
        known = stored != _BACKGROUND
        return (stored != 0) & known, known

    def _read(self, bands: IndexArray, window: Window) -> AnyArray:
        pixels = GdalWindow(window.col, window.row, window.width, window.height)
        try:
            with quiet_gdal(self.path):
                key = (self.path, stamp(self.path), "defects")
                source = opened(key, lambda: open_raster(self.path))
                return np.asarray(source.read([int(band) + 1 for band in bands], window=pixels))
        except RasterioError as error:
            raise unreadable_layer(self.path, error) from error


def find_defects(
    path: str, shape: tuple[int, int], centres_nm: Float64Array
) -> tuple[BandDefects | None, str]:
    """The defects in a mask.

    Args:
        path: Name of the mask that GDAL opens.
        shape: (rows, columns) of the scene.
        centres_nm: (C,) wavelengths of its bands; a new detector begins where they become shorter.

    Returns:
        defects: The defects; None if the mask cannot be used.
        warning: Why it cannot, in one sentence; empty if it can.
    """
    name = path.rsplit("/", 1)[-1]
    try:
        require_local(path, "quality layer", SceneError)
        with quiet_gdal(path), open_raster(path) as source:
            reason = _problem(source, shape, len(centres_nm))
    except (RasterioError, SceneError) as error:
        reason = f"it cannot be read ({str(error).splitlines()[0].rstrip('.')})"
    if reason:
        return None, f"the defective pixels in '{name}' are not masked: {reason}"
    new = np.flatnonzero(np.diff(centres_nm) < 0) + 1
    starts = (0, *(int(first) for first in new), len(centres_nm))
    return BandDefects(path, starts if len(starts) <= 3 else (0, len(centres_nm))), ""


def _problem(source: rasterio.DatasetReader, shape: tuple[int, int], bands: int) -> str:
    """Why a mask cannot be used; empty if it can."""
    if source.shape != shape or source.count != bands:
        found = f"{source.count} bands of {source.shape[0]} x {source.shape[1]} pixels"
        return f"it has {found} and the image {bands} of {shape[0]} x {shape[1]}"
    some = np.unique(np.linspace(1, bands, _SAMPLE_BANDS).round().astype(int)).tolist()
    size = min(_SAMPLE_PX, shape[0]), min(_SAMPLE_PX, shape[1])
    sample = source.read(some, out_shape=(len(some), *size))
    known = sample != _BACKGROUND
    if 2 * (known & (sample != 0)).sum() > known.sum() > 0:
        return "it flags most pixels as defective, and no detector has so many"
    return ""
