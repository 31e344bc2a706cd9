"""Reading windows of files of one band each, with their masks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.windows import Window as GdalWindow

from hsi_geo.arrays import AnyArray, IndexArray
from hsi_geo.io.readers.base import plain, unreadable
from hsi_geo.io.readers.gdal import GDAL_TYPES, quiet_gdal
from hsi_geo.io.readers.handles import opened
from hsi_geo.io.readers.masks import MaskFill
from hsi_geo.tiling import Window


@dataclass(frozen=True, eq=False)
class BandFilePixels:
    """Stored values of files of one band each.

    GDAL reads them through a virtual raster, which keeps few files open.

    Attributes:
        paths: Names that GDAL opens, in the order of the bands.
        name: Name of the scene, for messages.
        shape: (rows, columns) of each file.
        dtype: Type of the values, by NumPy's name.
        stamp: State of the first file when it was described.
        masked: Whether each file has a mask.
        fill: Values of masked pixels; None if no file has a mask.
    """

    paths: tuple[str, ...]
    name: str
    shape: tuple[int, int]
    dtype: str
    stamp: tuple[int, int]
    masked: tuple[bool, ...]
    fill: MaskFill | None = None

    def read(self, bands: IndexArray, window: Window) -> AnyArray:
        """See `readers.base.Pixels.read`.

        Raises:
            SceneError: If a file is damaged or cut short.
        """
        pixels = GdalWindow(window.col, window.row, window.width, window.height)
        numbers = [int(band) + 1 for band in bands]
        try:
            with quiet_gdal(self.paths[0]):
                key = ("one band a file", self.paths, self.masked, self.stamp)
                source = opened(key, lambda: rasterio.open(self._virtual_raster()))
                stored = np.asarray(source.read(numbers, window=pixels))
                if self.fill is None:
                    return stored
                return self.fill.apply(stored, source, numbers, pixels)
        except RasterioError as error:
            raise unreadable(self.name, window, plain(error)) from error

    def _virtual_raster(self) -> str:
        """The text of a VRT with a band for each file, and its mask if the file has one."""
        rows, cols = self.shape
        parts = [f'<VRTDataset rasterXSize="{cols}" rasterYSize="{rows}">']
        for number, (path, masked) in enumerate(zip(self.paths, self.masked, strict=True), start=1):
            kind = GDAL_TYPES[self.dtype]
            mask = self._source(path, "mask,1", "Byte") if masked else ""
            mask = mask and (
                f'<MaskBand><VRTRasterBand dataType="Byte">{mask}</VRTRasterBand></MaskBand>'
            )
            parts.append(
                f'<VRTRasterBand dataType="{kind}" band="{number}">{self._source(path, "1", kind)}{mask}'
                "</VRTRasterBand>"
            )
        return "".join([*parts, "</VRTDataset>"])

    def _source(self, path: str, band: str, kind: str) -> str:
        rows, cols = self.shape
        name = escape(path if path.startswith("/vsi") else str(Path(path).absolute()))
        return (
            f'<SimpleSource><SourceFilename relativeToVRT="0">{name}</SourceFilename>'
            f'<SourceBand>{band}</SourceBand><SourceProperties RasterXSize="{cols}" '
            f'RasterYSize="{rows}" DataType="{kind}" BlockXSize="256" BlockYSize="256"/></SimpleSource>'
        )
