"""Confidence of a map's classes: the raster beside the map, or that of its probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import rasterio.windows
from rasterio.errors import RasterioError

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import MapError
from hsi_geo.io.maps.reader import ReadMap
from hsi_geo.io.maps.writer import NO_PERCENT, PROBABILITY_STEPS, MapPaths
from hsi_geo.io.readers.gdal import open_raster, quiet_gdal
from hsi_geo.tiling import Window


@dataclass(frozen=True, slots=True)
class Confidence:
    """Largest probability of each pixel of a map.

    Attributes:
        path: Raster of per cent with one band, or of probabilities with one band for each class.
        is_percent: Whether it is one of per cent.
    """

    path: Path
    is_percent: bool

    def read(self, window: Window) -> Float64Array:
        """(height, width) per cent of a window, NaN where there is none.

        Args:
            window: Pixels, all inside the map.

        Raises:
            MapError: If the raster is damaged.
        """
        part = rasterio.windows.Window(window.col, window.row, window.width, window.height)
        try:
            with quiet_gdal(self.path), open_raster(self.path) as file:
                stored = file.read(window=part)
        except RasterioError as error:
            raise MapError(
                f"'{self.path}' is damaged in rows {window.row} to {window.row + window.height}",
                hint="make the map again, or copy it again",
            ) from error
        missing = (stored == NO_PERCENT).all(axis=0)
        percent = stored.max(axis=0) * (1.0 if self.is_percent else 100.0 / PROBABILITY_STEPS)
        return np.where(missing, np.nan, percent)


def find_confidence(opened: ReadMap) -> Confidence | None:
    """Find the confidence of a map: ``MAP_confidence.tif`` beside it, else ``MAP_probabilities.tif``.

    Args:
        opened: The map.

    Returns:
        The confidence; None if there is neither, or it has other pixels than the map.
    """
    beside = MapPaths.of(Path(opened.path), confidence=True, probabilities=True)
    for path, is_percent in ((beside.confidence, True), (beside.probabilities, False)):
        if path is None or not path.is_file():
            continue
        with quiet_gdal(path), open_raster(path) as file:
            if file.shape == opened.grid.shape and file.dtypes[0] == "uint8":
                return Confidence(path, is_percent)
    return None
