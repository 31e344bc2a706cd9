"""One module per way of keeping a scene in files; each offers the same `SceneFile`."""

from hsi_geo.io.readers.base import SceneFile
from hsi_geo.io.readers.opening import read_scene
from hsi_geo.io.readers.placement import Placement
from hsi_geo.io.readers.raster_pixels import RasterPixels
from hsi_geo.io.readers.stac_assets import Links

__all__ = ["Links", "Placement", "RasterPixels", "SceneFile", "read_scene"]
