"""Class maps of any program: grid, class names and values."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import rasterio
from pyproj import CRS
from rasterio.errors import RasterioError

from hsi_geo.arguments import require_path
from hsi_geo.arrays import AnyArray, BoolArray, IntArray
from hsi_geo.errors import MapError, MapNotFoundError
from hsi_geo.io.files.paths import exists, is_gdal_name
from hsi_geo.io.files.references import require_local
from hsi_geo.io.labels.class_values import ClassValues, read_class_values
from hsi_geo.io.labels.map_records import rejected_in
from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.maps.areas import pixel_areas_ha
from hsi_geo.io.maps.control_points import frame_of_points
from hsi_geo.io.readers.base import require_real
from hsi_geo.io.readers.gdal import open_raster, quiet_gdal
from hsi_geo.io.readers.masks import Mask, is_confidence, only_band
from hsi_geo.tiling import Grid, Window

MaskedInts = np.ma.MaskedArray[Any, np.dtype[np.int64]]

#: Largest number of a class, as in rasters of shots.
MOST_ID = 2**31 - 1

#: What to do where a raster is no class map.
_OTHER_FILES = "give the map, not its confidence, its probabilities or the scene"

#: Number of rows that are read at a time.
STRIP_PX = 256


@dataclass(frozen=True, eq=False)
class ReadMap:
    """A class map on disk. Pixels are read when they are needed.

    Attributes:
        path: Path of the file as it was given, or GDAL's name of a dataset in it.
        grid: Pixels of the map.
        class_values: Nodata value and class names.
        band: Number of the band that holds the classes, from 1.
        mask: Mask of valid pixels (alpha band, mask band), None if the map has none.
        rejected: Rejected classes that the map can have, as its record lists them.
        ignored: Values that count as no class.
    """

    path: str
    grid: Grid
    class_values: ClassValues
    band: int = 1
    mask: Mask | None = None
    rejected: ClassTable = ()
    ignored: tuple[int, ...] = ()
    _counted: dict[int, int] = field(default_factory=dict, init=False, repr=False)
    _hectares: dict[str, float] = field(default_factory=dict, init=False, repr=False)

    def without_rejected(self) -> ReadMap:
        """The same map; rejected pixels count as pixels of no class."""
        return dataclasses.replace(self, ignored=tuple(c.id for c in self.rejected))

    @property
    def names(self) -> dict[int, str]:
        """Class name by value, for classes that have one."""
        no_class = {self.class_values.nodata, *self.ignored}
        no_class.add(None if self.class_values.zero_is_class else 0)
        return {
            value: name for value, name in self.class_values.names.items() if value not in no_class
        }

    def name_of(self, value: int) -> str:
        """Name of a class, or its number as text if it has none."""
        return self.class_values.names.get(value, str(value))

    def values_at(self, rows: IntArray, cols: IntArray) -> MaskedInts:
        """Read the values of some pixels.

        Args:
            rows: (N,) rows, all inside the map.
            cols: (N,) columns, all inside the map.

        Returns:
            (N,) values, masked where there is no class.

        Raises:
            MapError: If the map is damaged.
        """
        top, bottom = int(rows.min()), int(rows.max()) + 1
        left, right = int(cols.min()), int(cols.max()) + 1
        found = np.ma.masked_all(len(rows), np.int64)
        for strip in _strips(Window(top, left, bottom - top, right - left)):
            here = (rows >= strip.row) & (rows < strip.row + strip.height)
            if here.any():
                values = self.read(strip)
                found[here] = values[rows[here] - strip.row, cols[here] - strip.col]
        return found

    def counts(self) -> dict[int, int]:
        """Number of pixels by value, without pixels of no class."""
        if not self._counted:  # a large map is read once
            counted: dict[int, int] = {}
            for strip in _strips(self.grid.window):
                values = self.read(strip).compressed()
                for value, count in zip(*np.unique(values, return_counts=True), strict=True):
                    counted[int(value)] = counted.get(int(value), 0) + int(count)
            self._counted.update(counted)
        return dict(self._counted)

    def class_counts(self) -> dict[str, int]:
        """Number of pixels by class name, in the order of the values.

        Values of the same name are one class.
        """
        counted: dict[str, int] = {}
        for value, count in sorted(self.counts().items()):
            counted[self.name_of(value)] = counted.get(self.name_of(value), 0) + count
        return counted

    def class_areas_ha(self) -> dict[str, float] | None:
        """Hectares by class name, summed over pixels; None if the CRS does not define areas."""
        areas = pixel_areas_ha(self.grid)
        if areas is None:
            return None
        counts = self.class_counts()
        if (of_each := areas.of_each) is not None:
            return {name: of_each * count for name, count in counts.items()}
        if not self._hectares:
            by_name = dict.fromkeys(counts, 0.0)
            for strip in _strips(self.grid.window):
                values = self.read(strip)
                present, index = np.unique(values.compressed(), return_inverse=True)
                hectares = np.bincount(index, areas.of(strip)[~np.ma.getmaskarray(values)])
                for value, area in zip(present, hectares, strict=True):
                    by_name[self.name_of(int(value))] += float(area)
            self._hectares.update(by_name)
        return dict(self._hectares)

    def thumbnail(self, side_px: int) -> MaskedInts:
        """(h, w) values as by `read_thumbnail`, masked where there is no class.

        Args:
            side_px: Longest side of the result in pixels.
        """
        with quiet_gdal(self.path), open_raster(self.path) as file:
            shape = _thumbnail_shape(file.shape, side_px)
            values, is_whole = _whole(file.read(self.band, out_shape=shape))
            return self._known(values, self.valid(file, None, shape) & is_whole)

    def read(self, window: Window) -> MaskedInts:
        """Read the values of a window.

        Args:
            window: Pixels, all inside the map.

        Returns:
            (height, width) values, masked where there is no class.

        Raises:
            MapError: If the map is damaged.
        """
        try:
            with quiet_gdal(self.path), open_raster(self.path) as file:
                part = rasterio.windows.Window(window.col, window.row, window.width, window.height)
                values, is_whole = _whole(file.read(self.band, window=part))
                valid = self.valid(file, part, window.shape) & is_whole
        except RasterioError as error:
            raise _damaged(self.path, window) from error
        return self._known(values, valid)

    def valid(
        self, file: Any, part: rasterio.windows.Window | None, shape: tuple[int, int]
    ) -> BoolArray:
        """(height, width) False where the mask of the file excludes a pixel.

        Args:
            file: The open map.
            part: Pixels to read; None for all.
            shape: (rows, columns) of the result.
        """
        if self.mask is None:
            return np.ones(shape, bool)
        return np.asarray(self.mask.valid(file, [self.band], part, shape)[0])

    def _known(self, values: IntArray, valid: BoolArray) -> MaskedInts:
        """The values, masked where there is no class."""
        missing = ~valid
        no_class = {*self.ignored, self.class_values.nodata}
        no_class.add(None if self.class_values.zero_is_class else 0)
        for value in no_class - {None}:
            missing |= values == value
        return np.ma.array(values, mask=missing)


def read_percent(path: str | os.PathLike[str]) -> ReadMap:
    """Open a raster of confidence, whose whole per cent are read as class ids are.

    Args:
        path: Raster with one band of whole numbers.

    Raises:
        MapNotFoundError: If there is no such file.
        MapError: If it is no raster, or has no band of whole numbers.
    """
    return read_map(path, is_percent=True)


def read_map(
    path: str | os.PathLike[str],
    *,
    rejected: ClassTable | None = None,
    is_percent: bool = False,
) -> ReadMap:
    """Open a class map.

    Class names are GDAL's category names or raster attribute table, inside the file or in the
    `.aux.xml` beside it. Names and nodata value decide whether 0 is a class, see `ClassValues`.

    Args:
        path: Raster with one band of integers, or of floats that are whole numbers, of any format that GDAL reads.
        rejected: Rejected classes of a map whose record is not beside it: it is not written yet, or the map is a
            mosaic. None takes those of the record, or of the names.
        is_percent: Whether it may be the confidence of a map; see `read_percent`.

    Returns:
        The map.

    Raises:
        MapNotFoundError: If there is no such file.
        MapError: If it is no raster, or no class map.
    """
    name = require_path("a class map", path, "give its path, such as result.paths.classes")
    if not exists(name) and not is_gdal_name(name):
        raise MapNotFoundError(
            f"map '{name}' does not exist", hint="check the path and its spelling"
        )
    require_local(name, "map", MapError)
    try:
        with quiet_gdal(name), open_raster(name) as file:
            _require_pixels(file, name)
            if is_confidence(file) and not is_percent:
                raise MapError(
                    f"'{name}' is no class map: it holds the confidence of one", hint=_OTHER_FILES
                )
            classes, dtypes, metadata = only_band(file), file.dtypes, read_class_values(file)
            grid = grid_of_raster(file, name)
    except RasterioError as error:
        raise MapError(
            f"map '{name}' is not a raster that GDAL can open",
            hint="give the map that hsi-geo classify or predict wrote",
        ) from error
    if classes is not None:
        require_real(dtypes[classes[0] - 1], name, "map", MapError)
    if classes is None:
        raise MapError(
            f"'{name}' is no class map: it has {len(dtypes)} bands of {dtypes[0]} and should have "
            "one band of whole numbers",
            hint=_OTHER_FILES,
        )
    if rejected is None:
        rejected = rejected_in(name, metadata.names)
    opened = ReadMap(name, grid, metadata, *classes, rejected=rejected)
    if np.dtype(dtypes[classes[0] - 1]).kind == "f":
        _require_whole(opened)
    return opened


def _require_whole(opened: ReadMap) -> None:
    """Refuse a map of floats, as raster calculators write them, if one is no number of a class."""
    for strip in _strips(opened.grid.window):
        part = rasterio.windows.Window(strip.col, strip.row, strip.width, strip.height)
        try:
            with quiet_gdal(opened.path), open_raster(opened.path) as file:
                values = file.read(opened.band, window=part)
                valid = opened.valid(file, part, strip.shape) & np.isfinite(values)
        except RasterioError as error:
            raise _damaged(opened.path, strip) from error
        if (nodata := opened.class_values.nodata) is not None:
            valid &= values != np.asarray(nodata, values.dtype)
        others = values[valid & ~_whole(values)[1]]
        if others.size:
            raise MapError(
                f"'{opened.path}' is no class map: its values are {values.dtype}, such as {others[0]:.6g}, and should "
                f"be whole numbers up to {MOST_ID}",
                hint=_OTHER_FILES,
            )


def _whole(values: AnyArray) -> tuple[IntArray, BoolArray]:
    """The values as integers, and whether each is one; 0 for others, such as NaN."""
    if values.dtype.kind != "f":
        return values.astype(np.int64), np.ones(values.shape, bool)
    is_whole = (np.abs(values) <= MOST_ID) & (values == np.round(values))
    return np.where(is_whole, values, 0).astype(np.int64), is_whole


def _damaged(path: str, window: Window) -> MapError:
    return MapError(
        f"map '{path}' is damaged in rows {window.row} to {window.row + window.height}",
        hint="make it again, or copy it again",
    )


def grid_of_raster(file: rasterio.DatasetReader, name: str) -> Grid:
    """Pixels of a raster, and where they lie if it has ground control points.

    Args:
        file: The open raster.
        name: Name of it, for messages.

    Raises:
        SceneError: If its points give no place.
    """
    crs = None if file.crs is None else CRS.from_wkt(file.crs.to_wkt())
    return Grid(file.height, file.width, file.transform, crs, frame_of_points(file, name))


def read_thumbnail(path: str | os.PathLike[str], side_px: int) -> AnyArray:
    """Read the first band of a raster at a lower resolution.

    Args:
        path: Path of the raster.
        side_px: Longest side of the result in pixels.

    Returns:
        (h, w) values of every n-th row and column, n a whole number.
    """
    with quiet_gdal(path), open_raster(path) as file:
        return np.asarray(file.read(1, out_shape=_thumbnail_shape(file.shape, side_px)))


def _thumbnail_shape(shape: tuple[int, int], side_px: int) -> tuple[int, int]:
    step = max(1, -(-max(shape) // side_px))
    return -(-shape[0] // step), -(-shape[1] // step)


def read_colors(path: str | os.PathLike[str]) -> dict[int, str]:
    """Read the colour table of a raster's first band.

    Args:
        path: Path of the raster.

    Returns:
        "#rrggbb" by value, without transparent values; empty if there is no colour table.
    """
    with quiet_gdal(path), open_raster(path) as file:
        try:
            table = file.colormap(1)
        except ValueError:
            return {}
    return {value: "#" + bytes(rgba[:3]).hex() for value, rgba in table.items() if rgba[3]}


def _require_pixels(file: Any, name: str) -> None:
    """Refuse a container: HDF5 and netCDF files may have datasets instead of bands."""
    if file.count:
        return
    inside = file.subdatasets
    raise MapError(
        f"'{name}' is no class map: it has no band, and {len(inside)} datasets inside",
        hint=f"give one of them, such as {inside[0]}" if inside else "give the map itself",
    )


def _strips(window: Window) -> list[Window]:
    end = window.row + window.height
    return [
        Window(row, window.col, min(STRIP_PX, end - row), window.width)
        for row in range(window.row, end, STRIP_PX)
    ]
