"""Class maps that are given where a scene is wanted."""

from __future__ import annotations

import rasterio
from rasterio.errors import RasterioError

from hsi_geo.io.labels.class_values import read_class_values
from hsi_geo.io.readers import SceneFile
from hsi_geo.io.readers.gdal import open_raster, quiet_gdal


def is_class_map(file: SceneFile) -> bool:
    """Whether a file is a class map of any program: one band of whole numbers that have names or colours.

    Args:
        file: Description of the file as of a scene.
    """
    if file.band_count != 1 or file.dtype.kind not in "iu":
        return False
    try:
        with quiet_gdal(file.name), open_raster(file.name) as source:
            return bool(read_class_values(source).names) or _has_colors(source)
    except (RasterioError, OSError, ValueError):
        return False  # a folder, or a product that another reader describes


def _has_colors(source: rasterio.DatasetReader) -> bool:
    try:
        return bool(source.colormap(1))
    except ValueError:
        return False
