"""Rasters of masks on any grid, laid over a scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyproj
import shapely
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as GdalWindow

from hsi_geo.arrays import BoolArray
from hsi_geo.errors import OptionError
from hsi_geo.io.files.paths import stamp
from hsi_geo.io.labels.crs_bounds import full_circle
from hsi_geo.io.labels.scene_surroundings import bounds_in
from hsi_geo.io.readers.base import plain
from hsi_geo.io.readers.gdal import open_raster, quiet_gdal
from hsi_geo.io.readers.handles import opened
from hsi_geo.io.readers.masks import Mask, only_band
from hsi_geo.tiling import Bounds, Grid, Window


@dataclass(frozen=True, eq=False)
class GriddedFlags:
    """The only band of a raster on any grid; the nearest of its pixels counts.

    Attributes:
        path: Name that GDAL opens.
        grid: Grid of the scene.
        band: Number of the band, from 1.
        mask: What marks the pixels of the band that have data; None for all.
        shifts: What is added to x of the raster, in the unit of its CRS: longitudes that differ by 360 degrees are the
            same place, and GDAL takes them for two.
    """

    path: str
    grid: Grid
    band: int
    mask: Mask | None
    shifts: tuple[float, ...] = (0.0,)

    def read(self, window: Window) -> tuple[BoolArray, BoolArray]:
        """See `quality_layers.Flags.read`."""
        masked, known = np.zeros((2, *window.shape), bool)
        for shift in self.shifts:
            of_shift, known_there = self._read_shifted(window, shift)
            masked, known = masked | of_shift, known | known_there
        return masked, known

    def _read_shifted(self, window: Window, shift: float) -> tuple[BoolArray, BoolArray]:
        pixels = GdalWindow(window.col, window.row, window.width, window.height)
        place = self.grid.transform, self.grid.shape, shift
        try:
            with quiet_gdal(self.path):
                key = (self.path, stamp(self.path), "mask", *place)
                source = opened(key, lambda: self._open(shift))
                stored = source.read(self.band, window=pixels)
                nodata = source.nodatavals[self.band - 1]
                known = np.ones(window.shape, bool)
                if self.mask is not None:
                    known = self.mask.valid(source, [self.band], pixels)[0]
        except RasterioError as error:
            raise OptionError(
                f"mask '{self.path}' cannot be read ({plain(error)})",
                hint="give a raster that GDAL opens, or polygons",
            ) from error
        if nodata not in (None, 0):
            known = known & (stored != nodata)
        if stored.dtype.kind == "f":
            known = known & np.isfinite(stored)
        return (stored != 0) & known, known

    def _open(self, shift: float) -> Any:
        source = open_raster(self.path)
        own = source.crs
        if self._has_same_pixels(source):
            return source
        target = None if self.grid.crs is None else CRS.from_wkt(self.grid.crs.to_wkt())
        if own is None or target is None:
            source.close()
            raise OptionError(
                f"mask '{self.path}' has other pixels than the scene, and one of them has no coordinate "
                "reference system",
                hint="assign one with gdal_edit.py -a_srs, or give a mask with the scene's pixels",
            )
        moved = Affine.translation(shift, 0.0) @ source.transform
        return WarpedVRT(
            source,
            src_transform=moved,
            crs=target,
            transform=self.grid.transform,
            height=self.grid.height,
            width=self.grid.width,
            resampling=Resampling.nearest,
            tolerance=0.001,  # by default GDAL errs by up to an eighth of a pixel; rasterio cannot open with 0
        )

    def _has_same_pixels(self, source: Any) -> bool:
        if source.shape != self.grid.shape:
            return False
        placed = source.transform.almost_equals(self.grid.transform, 1e-6)
        if source.crs is None:
            return placed or bool(source.transform.is_identity)
        return placed and self.grid.crs is not None and self.grid.crs.equals(source.crs.to_wkt())


def lay_over(path: str, grid: Grid) -> GriddedFlags | None:
    """Lay the raster of a mask over a scene.

    Args:
        path: Name that GDAL opens.
        grid: Grid of the scene.

    Returns:
        Its flags; None if the raster lies outside the scene.

    Raises:
        OptionError: If the raster cannot be used.
    """
    with quiet_gdal(path), open_raster(path) as source:
        crs = None if source.crs is None else pyproj.CRS.from_wkt(source.crs.to_wkt())
        raster = Grid(source.height, source.width, source.transform, crs)
        only = only_band(source)
        if only is None:
            raise OptionError(
                f"mask '{path}' has {source.count} bands, and nothing tells which of them is the mask",
                hint="give a raster of one band, in which 0 is what is not masked",
            )
    flags = GriddedFlags(path, grid, *only)
    flags.read(Window(0, 0, 1, 1))  # a mask that cannot be used is refused here
    shifts = _shifts_onto(raster, grid)
    return replace(flags, shifts=shifts) if shifts else None


def _shifts_onto(raster: Grid, scene: Grid) -> tuple[float, ...]:
    """What brings a raster onto a scene if it is added to x: multiples of a full circle in degrees, else 0.

    None are returned if the raster shares no more than an edge with the scene.
    """
    if raster.crs is None or scene.crs is None:
        return (0.0,)  # it has the pixels of the scene
    extents = bounds_in(scene, raster)
    if extents is None:  # a scene may reach to where the projection of the raster is undefined
        return (0.0,) if _meets(scene, bounds_in(raster, scene) or []) else ()
    left, _, right, _ = extents[len(extents) // 2]  # the one that is not shifted
    shifts = [left - one[0] for one in extents if _meets(raster, [one])]
    if raster.crs.is_geographic and not scene.crs.is_geographic:
        circle = full_circle(raster.crs)
        if right > circle / 2:  # across the antimeridian: PROJ gives longitudes from -180 to 180
            shifts += [shift - circle for shift in shifts]
    return tuple(dict.fromkeys(shifts))


def _meets(grid: Grid, extents: Sequence[Bounds]) -> bool:
    """Whether a grid, rotated or not, shares more than an edge with one of some bounds."""
    height, width = grid.shape
    corners = [(0, 0), (width, 0), (width, height), (0, height)]
    outline = shapely.Polygon([grid.transform @ corner for corner in corners])
    return any(shapely.intersection(outline, shapely.box(*extent)).area > 0 for extent in extents)
