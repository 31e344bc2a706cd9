"""Images of a sensor that have a longitude and a latitude for each pixel (swaths), put onto an upright grid."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from pyproj import CRS

from hsi_geo.arrays import AnyArray, Float64Array, IndexArray, IntArray
from hsi_geo.errors import OptionError, SceneError
from hsi_geo.io.readers.base import Pixels, PlacedGrid
from hsi_geo.io.readers.crs_choice import NATIVE, Region, choose_crs, project
from hsi_geo.io.readers.grid_fit import described_grid, fit_grid
from hsi_geo.io.readers.swath_index import SwathIndex
from hsi_geo.tiling import Grid, SensorFrame, Window

#: Longitudes and latitudes are those of WGS 84.
_DEGREES = CRS.from_epsg(4326)


@dataclass(frozen=True, eq=False, kw_only=True)
class SwathCoordinates:
    """The longitude and latitude of each pixel of a swath.

    Attributes:
        coordinates: Two bands of the swath's rows and columns: longitude and latitude of pixel centres in degrees.
        nominal_m: Pixel size that the product states, in metres; None if it states none.
        own: Grid and lookup table that come with the product; None if it has none. The table has the column and the
            row in the swath of each pixel of the grid, from 1; 0 means none.
        at_corners: Whether the coordinates are those of the upper left corners of pixels.
    """

    coordinates: Pixels
    nominal_m: float | None = None
    own: tuple[Grid, Pixels] | None = None
    at_corners: bool = False

    def on_grid(
        self, shape: tuple[int, int], wanted: str | None, name: str, size: float | None = None
    ) -> PlacedGrid:
        """See `Geolocation.on_grid`."""
        if self.own is not None and wanted in (None, NATIVE) and size is None:
            return PlacedGrid(*self.own)
        lon, lat = self.read(shape, name)
        known = ~np.isnan(lon)
        region = Region.of(lon[known], lat[known])
        crs = choose_crs(region, wanted, name)
        x, y = project(lon, lat, _DEGREES, crs, region.lon)
        if np.isnan(x[known]).mean() > 0.01:
            raise OptionError(
                f"scene '{name}' lies outside of the region of {crs.name}",
                hint="leave --grid out, or give the code of a CRS that covers it",
            )
        grid = fit_grid(x, y, crs, name, self.nominal_m, size)
        lookup = SwathLookup(self, shape, grid, region.lon, name)
        lookup.keep(x, y)
        return PlacedGrid(
            grid,
            lookup,
            f"its {shape[1]} x {shape[0]} pixels are a swath: each pixel of {described_grid(grid)} shows the "
            "nearest of them",
        )

    def frame(self, shape: tuple[int, int], name: str) -> SensorFrame:
        """See `Geolocation.frame`."""
        alone = dataclasses.replace(self, own=None)
        lookup = alone.on_grid(shape, None, name).lookup
        assert isinstance(lookup, SwathLookup)
        return SensorFrame(lookup.grid, lookup.locate, lookup.centres)

    def read(self, shape: tuple[int, int], name: str) -> tuple[Float64Array, Float64Array]:
        """Read all longitudes and latitudes.

        Args:
            shape: (rows, columns) of the swath.
            name: Name of the scene, for messages.

        Returns:
            (H, W) longitudes and latitudes of pixel centres in degrees, NaN where they are missing or no degrees.

        Raises:
            SceneError: If none is known.
        """
        stored = self.coordinates.read(np.arange(2), Window(0, 0, *shape))
        lon, lat = stored.astype(np.float64)
        with np.errstate(invalid="ignore"):
            known = (np.abs(lat) <= 90.0) & (np.abs(lon) <= 360.0) & ~((lon == 0) & (lat == 0))
        if not known.any():
            raise SceneError(
                f"scene '{name}' has longitudes and latitudes that are all missing",
                hint="download the file again",
            )
        lon, lat = np.where(known, lon, np.nan), np.where(known, lat, np.nan)
        return _centres_of(lon, lat) if self.at_corners else (lon, lat)


@dataclass(frozen=True, eq=False)
class SwathLookup:
    """Lookup table of a grid over a swath, made when it is first read. Copies for other processes make it anew.

    Attributes:
        swath: Longitudes and latitudes of the swath.
        shape: (rows, columns) of the swath.
        grid: The grid.
        around: Longitude in degrees around which those of a grid in degrees are counted.
        name: Name of the scene, for messages.
    """

    swath: SwathCoordinates
    shape: tuple[int, int]
    grid: Grid
    around: float
    name: str

    def read(self, bands: IndexArray, window: Window) -> AnyArray:
        """(B, height, width) columns (band 0) and rows (band 1) in the swath, from 1; see `Pixels.read`."""
        return self._index.read(window)[bands]

    def locate(self, x: Float64Array, y: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Columns and rows in the swath of places; see `SensorFrame`."""
        inverse = ~self.grid.transform
        return self._index.locate(inverse.a * x + inverse.c, inverse.e * y + inverse.f)

    def centres(self, cols: IntArray, rows: IntArray) -> tuple[Float64Array, Float64Array]:
        """Places of the swath's pixels; see `SensorFrame`."""
        transform = self.grid.transform
        x, y = self._index.centres(cols, rows)
        return transform.a * x + transform.c, transform.e * y + transform.f

    def keep(self, x: Float64Array, y: Float64Array) -> None:
        """Make the table from coordinates that were read already.

        Args:
            x: (H, W) coordinates of the swath's pixels in the grid's CRS, NaN where unknown.
            y: (H, W) as ``x``.
        """
        self.__dict__["_index"] = self._made(x, y)

    @cached_property
    def _index(self) -> SwathIndex:
        lon, lat = self.swath.read(self.shape, self.name)
        assert self.grid.crs is not None  # it was chosen
        return self._made(*project(lon, lat, _DEGREES, self.grid.crs, self.around))

    def _made(self, x: Float64Array, y: Float64Array) -> SwathIndex:
        inverse = ~self.grid.transform
        cols = inverse.a * x + inverse.c
        rows = inverse.e * y + inverse.f
        return SwathIndex(np.stack([cols, rows]).astype(np.float32))

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


def _centres_of(lon: Float64Array, lat: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Places of pixel centres, the means of four corners, from the upper left corners; steps go on at the edges."""
    for axis in (0, 1):
        lon = lon + _steps(lon, axis, 360.0) / 2
        lat = lat + _steps(lat, axis, np.inf) / 2
    return lon, lat


def _steps(values: Float64Array, axis: int, circle: float) -> Float64Array:
    """Steps to the next values along an axis; the shorter way on a circle.

    Where there is no next value, the step from the one before; where there is neither, the median of all; 0 without any.
    """
    back = np.diff(values, axis=axis, prepend=np.nan)
    forth = np.diff(values, axis=axis, append=np.nan)
    steps: Float64Array = np.where(np.isnan(forth), back, forth)
    if not np.isinf(circle):
        steps = (steps + circle / 2) % circle - circle / 2
    known = steps[~np.isnan(steps)]
    return np.where(np.isnan(steps), np.median(known) if known.size else 0.0, steps)
