"""Areas on the ground: hectares of a grid's pixels, and of the classes of a map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.windows
from pyproj import CRS, Geod, Proj
from pyproj.exceptions import ProjError
from rasterio.errors import RasterioError

from hsi_geo.arrays import BoolArray, Float64Array, IntArray
from hsi_geo.errors import MapError
from hsi_geo.io.maps.vrt_index import GeoreferencedMap
from hsi_geo.io.maps.writer import BLOCK_PX, NO_CLASS
from hsi_geo.io.readers.gdal import quiet_gdal
from hsi_geo.tiling import Grid, Window, blocks

#: Relative error up to which areas in a projected CRS are used as they are. Zones of UTM keep
#: within 0.2 %.
AREA_TOLERANCE = 0.01


#: Rows that are looked at to see whether pixels of one row differ in area, and places along a row between which areas
#: are interpolated where they do.
_ROWS_TO_SEE, _PLACES = 17, 65


@dataclass(frozen=True, eq=False)
class PixelAreas:
    """Area of each pixel of a grid on the ground.

    Attributes:
        grid: The pixels.
        rows: (height,) hectares of a pixel of each row; those of its middle where pixels of a row differ.
        along_rows: Whether pixels of one row differ by more than `AREA_TOLERANCE`.
    """

    grid: Grid
    rows: Float64Array
    along_rows: bool

    def of(self, window: Window) -> Float64Array:
        """(height, width) hectares of the pixels of a window."""
        of_rows = self.rows[window.slices[0], None]
        if not self.along_rows:
            return np.asarray(np.broadcast_to(of_rows, window.shape))
        rows = np.arange(window.row, window.row + window.height) + 0.5
        cols = np.arange(window.col, window.col + window.width) + 0.5
        places = np.linspace(cols[0], max(cols[-1], cols[0] + 1.0), _PLACES)
        at_places = _areas_at(self.grid, rows[:, None], places[None, :])
        step = places[1] - places[0]
        left = np.minimum(((cols - cols[0]) / step).astype(np.int64), _PLACES - 2)
        share = (cols - places[left]) / step
        found = at_places[:, left] * (1 - share) + at_places[:, left + 1] * share
        return np.asarray(found, np.float64)

    def at(self, rows: IntArray, cols: IntArray) -> Float64Array:
        """(N,) hectares of pixels.

        Args:
            rows: (N,) rows.
            cols: (N,) columns.
        """
        if not self.along_rows:
            return self.rows[rows]
        return _areas_at(self.grid, rows + 0.5, cols + 0.5)

    @property
    def of_each(self) -> float | None:
        """Hectares of each pixel; None where they differ."""
        is_same = not self.along_rows and bool((self.rows == self.rows[0]).all())
        return float(self.rows[0]) if is_same else None


def pixel_areas_ha(grid: Grid) -> PixelAreas | None:
    """Area of each pixel of a grid, on the ground.

    In a projected CRS it is the area in the plane. Where the CRS distorts areas by more than
    `AREA_TOLERANCE`, as Web Mercator does, it is divided by PROJ's areal scale in the middle of the
    row, or at the pixel where the scale changes along rows. In a geographic CRS it is the area on the ellipsoid of
    the CRS.

    Args:
        grid: Pixels of a map or a scene.

    Returns:
        The areas; None without a CRS, or if the CRS does not define the size of a pixel.

    Examples:
        >>> from affine import Affine
        >>> polar = Grid(9, 9, Affine(5e5, 0.0, -2.25e6, 0.0, -5e5, 2.25e6), CRS.from_epsg(3413))
        >>> areas = pixel_areas_ha(polar)  # at the pole, and 2000 km from it
        >>> areas.at(np.array([4, 4]), np.array([4, 8])).round(-3).tolist()
        [26578000.0, 25250000.0]
    """
    crs = grid.crs
    if crs is None or not crs.axis_info or not crs.axis_info[0].unit_conversion_factor:
        return None
    if not crs.is_projected:
        geod = crs.get_geod() if crs.is_geographic else None
        if geod is None:
            return None
        if not grid.is_rotated:
            return PixelAreas(grid, _areas_between_parallels_ha(grid, geod), along_rows=False)
    plane = _plane_areas_ha(grid, crs)
    middles = _areas_at(grid, np.arange(grid.height) + 0.5, np.array(grid.width / 2))
    some = np.unique(np.linspace(0, grid.height - 1, _ROWS_TO_SEE).round().astype(np.int64))
    ends = _areas_at(grid, some[:, None] + 0.5, np.array([[0.0, grid.width]]))
    if plane is not None and not (_differ(plane, middles) or _differ(plane, ends)):
        return PixelAreas(grid, np.full(grid.height, plane), along_rows=False)
    return PixelAreas(grid, middles, along_rows=_differ(middles[some, None], ends))


def row_areas_ha(grid: Grid) -> Float64Array | None:
    """Area of one pixel in the middle of each row of a grid, on the ground; see `pixel_areas_ha`.

    Args:
        grid: Pixels of a map or a scene.

    Returns:
        (height,) hectares; None without a CRS, or if the CRS does not define the size of a pixel.

    Examples:
        >>> from affine import Affine
        >>> degree = Grid(2, 1, Affine(1.0, 0.0, 8.0, 0.0, -1.0, 51.0), CRS.from_epsg(4326))
        >>> row_areas_ha(degree).round().tolist()  # from 51 to 50 and from 50 to 49 degrees north
        [789222.0, 805625.0]
    """
    areas = pixel_areas_ha(grid)
    return None if areas is None else areas.rows


def pixel_area_ha(grid: Grid) -> float | None:
    """Area of one pixel, if it is the same for all.

    Args:
        grid: Pixels of a map or a scene.

    Returns:
        Hectares; None where pixels differ or the area is unknown, see `pixel_areas_ha`.

    Examples:
        >>> from affine import Affine
        >>> pixel_area_ha(Grid(2, 3, Affine(30.0, 0.0, 4e5, 0.0, -20.0, 5e6), CRS.from_epsg(32633)))
        0.06
    """
    areas = pixel_areas_ha(grid)
    return None if areas is None else areas.of_each


def area_decimals(grid: Grid) -> int:
    """Number of decimals that hold hectares to about a hundredth of a pixel, and at least four.

    Args:
        grid: Pixels of a map or a scene.

    Examples:
        >>> from affine import Affine
        >>> utm = CRS.from_epsg(32633)
        >>> [area_decimals(Grid(2, 3, Affine(m, 0, 4e5, 0, -m, 5e6), utm)) for m in (30.0, 1.0, 0.02)]
        [4, 6, 10]
    """
    rows = row_areas_ha(grid)
    smallest = 0.0 if rows is None else float(np.abs(rows).min())
    return max(4, 2 - int(np.floor(np.log10(smallest)))) if smallest > 0 else 4


def _differ(own: Float64Array | float, theirs: Float64Array) -> bool:
    """Whether areas differ by more than they may."""
    return bool((np.abs(own / theirs - 1) > AREA_TOLERANCE).any())


def _plane_areas_ha(grid: Grid, crs: CRS) -> float | None:
    """Area of each pixel in the plane of a projected CRS; None in a geographic one."""
    metres = float(crs.axis_info[0].unit_conversion_factor)
    return _cell_area(grid) * metres**2 / 1e4 if crs.is_projected else None


def _areas_at(grid: Grid, rows: npt.ArrayLike, cols: npt.ArrayLike) -> Float64Array:
    """Hectares of pixels at rows and columns with fractions: the area in the CRS by the scale there."""
    assert grid.crs is not None
    t, crs = grid.transform, grid.crs
    row, col = np.broadcast_arrays(np.asarray(rows, np.float64), np.asarray(cols, np.float64))
    x, y = t.c + t.a * col + t.b * row, t.f + t.d * col + t.e * row
    plane = _plane_areas_ha(grid, crs)
    if plane is not None:
        return np.asarray(plane / _areal_scales(crs, x, y))
    geod, radians = crs.get_geod(), float(crs.axis_info[0].unit_conversion_factor)
    assert geod is not None
    latitudes = np.radians(y * float(np.degrees(radians)))
    scale = (
        geod.a**2 * (1 - geod.es) * np.cos(latitudes) / (1 - geod.es * np.sin(latitudes) ** 2) ** 2
    )
    return np.asarray(_cell_area(grid) * radians**2 * scale / 1e4)


def _areal_scales(crs: CRS, x: Float64Array, y: Float64Array) -> Float64Array:
    """Area in a projected CRS by area on the ground at places; 1 where unknown."""
    try:
        projection = Proj(crs)
        lon, lat = projection(x, y, inverse=True)
        # PROJ gives longitudes from Greenwich here, and takes those of factors from the CRS's own prime meridian.
        found = projection.get_factors(lon - _prime_meridian_degrees(crs), lat).areal_scale
    except ProjError:
        return np.ones(x.shape)
    scales = np.asarray(found, np.float64)
    return np.where(np.isfinite(scales) & (scales > 0), scales, 1.0)


def _prime_meridian_degrees(crs: CRS) -> float:
    """Longitude of the prime meridian of a CRS, from Greenwich."""
    prime = crs.prime_meridian
    if prime is None:
        return 0.0
    return float(np.degrees(prime.longitude * float(prime.unit_conversion_factor)))


def _areas_between_parallels_ha(grid: Grid, geod: Geod) -> Float64Array:
    """(height,) area of pixels in degrees: Snyder (1987), Map Projections, eq. 3-12, on the ellipsoid."""
    assert grid.crs is not None
    degrees = float(np.degrees(grid.crs.axis_info[0].unit_conversion_factor))
    e = float(np.sqrt(geod.es))
    edges = np.radians((grid.transform.f + grid.transform.e * np.arange(grid.height + 1)) * degrees)
    sine = np.sin(np.clip(edges, -np.pi / 2, np.pi / 2))  # digits end beyond a pole
    atanh = np.arctanh(e * sine) / e if e else sine
    q = (1 - e**2) * (sine / (1 - (e * sine) ** 2) + atanh)
    width = np.radians(grid.resolution[0] * degrees)
    return np.asarray(np.abs(np.diff(q)) / 2 * width * geod.a**2 / 1e4)


def _cell_area(grid: Grid) -> float:
    """Area of a pixel in squared units of the CRS."""
    t = grid.transform
    return float(abs(t.a * t.e - t.b * t.d))


# Classes of a map -----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class AddedAreas:
    """What a map adds to maps before it.

    Attributes:
        pixels: (K,) number of pixels by class.
        hectares: (K,) area by class, NaN if the CRS does not define the size of a pixel.
        hidden: Number of pixels with a class that do not count, as a map before has a class there.
    """

    pixels: IntArray
    hectares: Float64Array
    hidden: int


def class_areas(
    one: GeoreferencedMap, classes: int, before: Sequence[GeoreferencedMap] = ()
) -> AddedAreas:
    """Count the area of each class that a map adds to other maps.

    Args:
        one: Map that hsi-geo wrote, with class ids 0..K.
        classes: K, the highest class id.
        before: Maps of the same CRS. A pixel that has a class in one of them is not counted.

    Raises:
        MapError: If a map is damaged or gone.
    """
    pixels, hectares, hidden = np.zeros(classes, np.int64), np.zeros(classes), 0
    areas = pixel_areas_ha(one.grid)
    with _reading(one.path) as file:
        for block in blocks(one.grid.height, one.grid.width, BLOCK_PX, one.grid.width):
            ids = _ids(file, block)
            present = int((ids != NO_CLASS).sum())
            for other in before:
                ids[_has_class(other, one.grid, block)] = NO_CLASS
            hidden += present - int((ids != NO_CLASS).sum())
            flat = ids.ravel()
            pixels += np.bincount(flat, minlength=classes + 1)[1:]
            if areas is None:
                hectares += np.nan
            elif areas.along_rows:
                of_pixels = areas.of(block).ravel()
                hectares += np.bincount(flat, of_pixels, minlength=classes + 1)[1:]
            else:
                cells = np.arange(block.height)[:, None] * (classes + 1) + ids
                counted = np.bincount(cells.ravel(), minlength=block.height * (classes + 1))
                counts = counted.reshape(block.height, classes + 1)
                hectares += areas.rows[block.slices[0]] @ counts[:, 1:]
    return AddedAreas(pixels, hectares, hidden)


@contextmanager
def _reading(path: Path) -> Iterator[rasterio.DatasetReader]:
    """Open a map, and name it in the error if it cannot be read.

    Raises:
        MapError: If it is damaged or gone.
    """
    try:
        with quiet_gdal(), rasterio.open(path) as file:
            yield file
    except RasterioError as error:
        raise MapError(
            f"map '{path}' could not be read back ({error})", hint="run it again"
        ) from error


def _ids(file: rasterio.DatasetReader, window: Window) -> IntArray:
    pixels = rasterio.windows.Window(window.col, window.row, window.width, window.height)
    return np.asarray(file.read(1, window=pixels), np.int64)


def _has_class(other: GeoreferencedMap, grid: Grid, block: Window) -> BoolArray:
    """(height, width) whether another map has a class at the centres of a block's pixels."""
    found = np.zeros(block.shape, bool)
    rows, cols = np.arange(block.height) + block.row, np.arange(block.width) + block.col
    x = grid.transform.c + grid.transform.a * (cols + 0.5)
    y = grid.transform.f + grid.transform.e * (rows + 0.5)
    t = other.grid.transform
    there_col = np.floor((x - t.c) / t.a).astype(np.int64)
    there_row = np.floor((y - t.f) / t.e).astype(np.int64)
    use_col = np.flatnonzero((there_col >= 0) & (there_col < other.grid.width))
    use_row = np.flatnonzero((there_row >= 0) & (there_row < other.grid.height))
    if not (len(use_row) and len(use_col)):
        return found
    seen_row, seen_col = there_row[use_row], there_col[use_col]
    top, left = int(seen_row.min()), int(seen_col.min())
    window = Window(top, left, int(np.ptp(seen_row)) + 1, int(np.ptp(seen_col)) + 1)
    with _reading(other.path) as file:
        ids = _ids(file, window)
    found[np.ix_(use_row, use_col)] = ids[np.ix_(seen_row - top, seen_col - left)] != NO_CLASS
    return found
