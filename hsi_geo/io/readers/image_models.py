"""Images whose place a formula gives (rotated lines, control points, polynomials), put onto an upright grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Protocol

import numpy as np
from affine import Affine
from pyproj import CRS, Transformer
from rasterio._err import CPLE_BaseError
from rasterio.control import GroundControlPoint
from rasterio.errors import RasterioError
from rasterio.rpc import RPC
from rasterio.transform import GCPTransformer, RPCTransformer

from hsi_geo.arrays import AnyArray, Float64Array, IndexArray, IntArray
from hsi_geo.errors import OptionError, SceneError
from hsi_geo.io.readers.base import PlacedGrid, plain
from hsi_geo.io.readers.crs_choice import (
    NATIVE,
    UTM,
    Region,
    choose_crs,
    near_longitude,
    project,
    require_known_crs,
)
from hsi_geo.io.readers.gdal import quiet_gdal
from hsi_geo.io.readers.grid_fit import (
    described_grid,
    extent_of,
    pixel_size,
    rounded,
    sized_grid,
    snapped_grid,
)
from hsi_geo.tiling import Grid, SensorFrame, Window

#: Number of places along each side of an image from which its grid is fitted.
SAMPLES = 65

#: Sides of pixels that differ by less are the same.
SAME_SIDE = 1e-6

#: A pixel centre may lie on the edge of an image by rounding.
_ROUNDING_PX = 1e-6

_DEGREES = CRS.from_epsg(4326)


class ImageModel(Protocol):
    """Where the pixels of an image lie. Objects can be pickled."""

    @property
    def crs(self) -> CRS | None:
        """CRS of the places; None if it is unknown."""

    def places(self, cols: Float64Array, rows: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Coordinates of places in the image; (0, 0) is its upper left corner."""

    def pixels(self, x: Float64Array, y: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Columns and rows of coordinates, with fractions; not finite where there are none."""


@dataclass(frozen=True, eq=False)
class AffineModel:
    """A grid, rotated or not.

    Attributes:
        grid: The grid.
    """

    grid: Grid

    @property
    def crs(self) -> CRS | None:
        """See `ImageModel.crs`."""
        return self.grid.crs

    def places(self, cols: Float64Array, rows: Float64Array) -> tuple[Float64Array, Float64Array]:
        """See `ImageModel.places`."""
        return _applied(self.grid.transform, cols, rows)

    def pixels(self, x: Float64Array, y: Float64Array) -> tuple[Float64Array, Float64Array]:
        """See `ImageModel.pixels`."""
        return _applied(~self.grid.transform, x, y)


@dataclass(frozen=True, eq=False)
class ControlPoints:
    """Ground control points: a polynomial of the first to the second order is fitted to them.

    Attributes:
        points: (row, column, x, y) of each point.
        crs: CRS of the points; None if it is unknown.
        spline: Whether a thin plate spline goes through all points instead.
    """

    points: tuple[tuple[float, float, float, float], ...]
    crs: CRS | None
    spline: bool = False

    def places(self, cols: Float64Array, rows: Float64Array) -> tuple[Float64Array, Float64Array]:
        """See `ImageModel.places`."""
        with GCPTransformer(self._points(), self.spline) as transformer:
            return _in_order(transformer.xy, rows, cols, offset="ul")

    def pixels(self, x: Float64Array, y: Float64Array) -> tuple[Float64Array, Float64Array]:
        """See `ImageModel.pixels`."""
        with GCPTransformer(self._points(), self.spline) as transformer:
            rows, cols = _in_order(transformer.rowcol, x, y, op=np.positive)
        return cols, rows

    def _points(self) -> list[GroundControlPoint]:
        return [GroundControlPoint(row, col, x, y) for row, col, x, y in self.points]


@dataclass(frozen=True, eq=False)
class RationalPolynomials:
    """Rational polynomial coefficients (RPC), used with a terrain model or at one height for the whole image.

    Attributes:
        rpc: The coefficients.
        dem: Path of a raster of heights in metres; None for one height.
    """

    rpc: RPC
    dem: str | None = None

    @property
    def crs(self) -> CRS | None:
        """Longitudes and latitudes; see `ImageModel.crs`."""
        return _DEGREES

    @property
    def height_m(self) -> float:
        """Height above the ellipsoid that pixels are placed at, in metres: the middle of the coefficients' range."""
        return float(self.rpc.height_off)

    def places(self, cols: Float64Array, rows: Float64Array) -> tuple[Float64Array, Float64Array]:
        """See `ImageModel.places`."""
        heights = self._heights(cols.size)
        with self._transformer() as transformer:
            return _in_order(transformer.xy, rows, cols, zs=heights, offset="ul")

    def pixels(self, x: Float64Array, y: Float64Array) -> tuple[Float64Array, Float64Array]:
        """See `ImageModel.pixels`."""
        heights = self._heights(x.size)
        with self._transformer() as transformer:
            rows, cols = _in_order(transformer.rowcol, x, y, zs=heights, op=np.positive)
        return cols, rows

    def _heights(self, count: int) -> Float64Array:
        """Heights of places: those above the terrain if there is a model of it."""
        return np.full(count, 0.0 if self.dem else self.height_m)

    def _transformer(self) -> RPCTransformer:
        if self.dem is None:
            return RPCTransformer(self.rpc)
        # Outside of the terrain model the middle of the heights counts.
        return RPCTransformer(
            self.rpc, rpc_dem=self.dem, rpc_dem_missing_value=self.height_m, rpc_demi="BILINEAR"
        )


def _applied(affine: Affine, x: Float64Array, y: Float64Array) -> tuple[Float64Array, Float64Array]:
    return affine.a * x + affine.b * y + affine.c, affine.d * x + affine.e * y + affine.f


def _in_order(
    method: Callable[..., Any], first: Float64Array, second: Float64Array, **options: Any
) -> tuple[Float64Array, Float64Array]:
    """Results of a transformer of rasterio, which takes lists of finite numbers, in the shape of the input."""
    shape = first.shape
    known = np.isfinite(first) & np.isfinite(second)
    results = np.full((2, *shape), np.nan)
    if "zs" in options:
        options["zs"] = options["zs"].reshape(shape)[known]
    if known.any():
        results[:, known] = np.asarray(method(first[known], second[known], **options))
    return results[0], results[1]


@dataclass(frozen=True, eq=False)
class ModelledImage:
    """An image whose place a formula gives.

    Attributes:
        model: The formula.
        what: What the image is, as the beginning of a note ("its grid is rotated by 34.0 degrees").
        warning: What is not exact about the place; empty for nothing.
    """

    model: ImageModel
    what: str
    warning: str = ""

    def on_grid(
        self, shape: tuple[int, int], wanted: str | None, name: str, size: float | None = None
    ) -> PlacedGrid:
        """See `Geolocation.on_grid`."""
        try:
            with quiet_gdal():
                crs = self._crs(shape, wanted, name)
                grid = self._grid(shape, crs, name, size)
        except (RasterioError, CPLE_BaseError) as error:
            raise SceneError(
                f"scene '{name}' has no place on a map: {self.what}, and they cannot be solved ({plain(error)})",
                hint="put it onto a grid with gdalwarp",
            ) from error
        return PlacedGrid(
            grid,
            ModelLookup(self.model, shape, grid),
            f"{self.what}: each pixel of {described_grid(grid)} shows the nearest of its pixels",
            self.warning,
        )

    def frame(self, shape: tuple[int, int], name: str) -> SensorFrame:
        """See `Geolocation.frame`."""
        lookup = self.on_grid(shape, None, name).lookup
        assert isinstance(lookup, ModelLookup)
        return SensorFrame(lookup.grid, lookup.locate, lookup.centres)

    def _crs(self, shape: tuple[int, int], wanted: str | None, name: str) -> CRS | None:
        own = self.model.crs
        if wanted in (None, NATIVE) and (wanted == NATIVE or own is None or own.is_projected):
            return own
        if wanted is None and isinstance(self.model, AffineModel):
            return own  # a rotated grid in degrees stays in degrees
        if wanted == UTM and own is not None and own.utm_zone is not None:
            return own
        own = require_known_crs(own, name)
        x, y = self.model.places(*_lattice(shape))
        lon, lat = project(x, y, own, _DEGREES)
        known = np.isfinite(lon) & np.isfinite(lat)
        if not known.any():
            raise SceneError(
                f"scene '{name}' has no longitudes and latitudes, although {self.what}",
                hint="check its coordinate reference system",
            )
        return choose_crs(Region.of(lon[known], lat[known]), wanted, name)

    def _grid(
        self, shape: tuple[int, int], crs: CRS | None, name: str, wanted: float | None
    ) -> Grid:
        own = self.model.crs
        same = own is crs or (own is not None and crs is not None and own.equals(crs))
        if same and isinstance(self.model, AffineModel) and wanted is None:
            return _upright(self.model.grid, name)
        cols, rows = _lattice(shape)
        x, y = self.model.places(cols, rows)
        if not same:
            assert own is not None
            assert crs is not None
            x, y = project(x, y, own, crs, _middle_longitude(x, y, own))
        if not np.isfinite(x).any():
            raise OptionError(
                f"scene '{name}' lies outside of the region of {'' if crs is None else crs.name}",
                hint="leave --grid out, or give the code of a CRS that covers it",
            )
        # The lattice is coarser than the image: its cells are scaled down.
        cell = np.sqrt((shape[0] / (rows.shape[0] - 1)) * (shape[1] / (cols.shape[1] - 1)))
        side = pixel_size(x, y)
        if side is None:
            raise SceneError(
                f"scene '{name}' has no place on a map: {self.what}, and all lie in one line",
                hint="put it onto a grid with gdalwarp",
            )
        if wanted is not None:
            return sized_grid(extent_of(x, y), wanted, crs, name, shape[0] * shape[1])
        size = side / cell
        if isinstance(self.model, AffineModel):
            sides = _sides(self.model.grid.transform)
            near = abs(size / sides[0] - 1) < 0.05 and abs(sides[0] / sides[1] - 1) < SAME_SIDE
            size = rounded(sides[0], 10) if near else rounded(size, 3)
        else:
            size = rounded(size, 2)
        return snapped_grid(extent_of(x, y), size, crs, name, shape[0] * shape[1])


def _middle_longitude(x: Float64Array, y: Float64Array, own: CRS) -> float | None:
    """Longitude of the middle of an image in degrees; None if it has none."""
    if own.is_geographic:
        return float(np.nanmedian(x))
    lon, lat = project(x, y, own, _DEGREES)
    known = np.isfinite(lon) & np.isfinite(lat)
    return Region.of(lon[known], lat[known]).lon if known.any() else None


def _lattice(shape: tuple[int, int]) -> tuple[Float64Array, Float64Array]:
    """(n, m) columns and rows of places spread over an image, its corners among them."""
    rows, cols = (np.linspace(0.0, size, min(SAMPLES, size + 1)) for size in shape)
    return np.meshgrid(cols, rows)


def _sides(transform: Affine) -> tuple[float, float]:
    return float(np.hypot(transform.a, transform.d)), float(np.hypot(transform.b, transform.e))


def _upright(grid: Grid, name: str) -> Grid:
    """The upright grid over a rotated one, in its CRS and with pixels of its size."""
    t = grid.transform
    left, bottom, right, top = grid.bounds
    across, down = _sides(t)
    turned = abs(t.a) < SAME_SIDE * abs(t.d) and abs(t.e) < SAME_SIDE * abs(t.b)
    if turned:  # by a right angle: rows become columns, and no pixel is lost
        transform = Affine(down, 0.0, left, 0.0, -across, top)
        return Grid(grid.width, grid.height, transform, grid.crs)
    side = abs(t.a * t.e - t.b * t.d) ** 0.5
    size = rounded(side, 10 if abs(across / down - 1) < SAME_SIDE else 3)
    return snapped_grid((left, bottom, right, top), size, grid.crs, name, grid.height * grid.width)


@dataclass(frozen=True, eq=False)
class ModelLookup:
    """Lookup table of an upright grid over an image whose place a formula gives.

    Attributes:
        model: The formula.
        shape: (rows, columns) of the image.
        grid: The upright grid.
    """

    model: ImageModel
    shape: tuple[int, int]
    grid: Grid

    def read(self, bands: IndexArray, window: Window) -> AnyArray:
        """(B, height, width) columns (band 0) and rows (band 1) in the image, from 1; see `Pixels.read`."""
        rows, cols = np.indices(window.shape, dtype=np.float64)
        transform = self.grid.transform_of(window)
        found = self.locate(*_applied(transform, cols + 0.5, rows + 0.5))
        lookup = np.zeros((2, *window.shape), np.int32)
        with np.errstate(invalid="ignore"):
            places = np.floor(np.stack(found) + _ROUNDING_PX)
            limits = np.array([self.shape[1], self.shape[0]])[:, None, None]
            inside = ((places >= 0) & (places < limits)).all(axis=0)
        lookup[:, inside] = places[:, inside] + 1
        return lookup[bands]

    def locate(self, x: Float64Array, y: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Columns and rows in the image of places; see `SensorFrame`."""
        own, target = self.model.crs, self.grid.crs
        if own is not None and target is not None and not own.equals(target):
            x, y = _transformer(target.to_wkt(), own.to_wkt()).transform(x, y)
            if own.is_geographic:  # PROJ counts from -180 to 180, and the image maybe otherwise
                x = near_longitude(np.asarray(x), self._middle, own)
        with quiet_gdal():
            return self.model.pixels(np.asarray(x), np.asarray(y))

    @cached_property
    def _middle(self) -> float:
        """First coordinate of the middle of the image; NaN if it is unknown."""
        height, width = self.shape
        with quiet_gdal():
            x, _ = self.model.places(np.array([width / 2]), np.array([height / 2]))
        return float(x[0])

    def centres(self, cols: IntArray, rows: IntArray) -> tuple[Float64Array, Float64Array]:
        """Places of the image's pixels; see `SensorFrame`."""
        with quiet_gdal():
            x, y = self.model.places(
                (cols + 0.5).astype(np.float64), (rows + 0.5).astype(np.float64)
            )
        own, target = self.model.crs, self.grid.crs
        if own is not None and target is not None:
            x, y = project(x, y, own, target)
        return x, y


@lru_cache(maxsize=16)
def _transformer(own: str, target: str) -> Transformer:
    return Transformer.from_crs(CRS.from_wkt(own), CRS.from_wkt(target), always_xy=True)
