"""One module per way of keeping a scene in files; each offers the same `SceneFile`."""

from hsi_geo.io.readers.base import SceneFile
from hsi_geo.io.readers.raster import RasterFile, read_raster

__all__ = ["RasterFile", "SceneFile", "read_raster"]
