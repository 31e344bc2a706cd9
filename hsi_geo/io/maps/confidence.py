"""Confidence of a map's classes: the raster beside the map, or that of its probabilities."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import rasterio.windows
from rasterio.errors import RasterioError

from hsi_geo.arguments import require_path
from hsi_geo.arrays import AnyArray, Float64Array
from hsi_geo.errors import MapError
from hsi_geo.io.files.paths import exists, is_gdal_name
from hsi_geo.io.files.references import require_local
from hsi_geo.io.labels.class_names import clean_name
from hsi_geo.io.labels.class_values import ClassValues
from hsi_geo.io.maps.pixel_lattices import describe_pixels, same_pixels
from hsi_geo.io.maps.reader import STRIP_PX, ReadMap, grid_of_raster, read_percent
from hsi_geo.io.maps.writer import NO_PERCENT, PROBABILITY_STEPS, MapPaths
from hsi_geo.io.readers.base import plain
from hsi_geo.io.readers.descriptions import descriptions_of
from hsi_geo.io.readers.gdal import open_raster, quiet_gdal
from hsi_geo.tiling import Grid, Window, blocks

#: Types of rasters of per cent of any program.
_WHOLE = ("uint8", "int8", "uint16", "int16", "uint32", "int32")


@dataclass(frozen=True, slots=True)
class Confidence:
    """Probability of the class that a map shows at each pixel.

    Attributes:
        path: Raster of per cent with one band, or of probabilities with one band for each class.
        is_percent: Whether it is one of per cent.
        of: The map.
    """

    path: Path
    is_percent: bool
    of: ReadMap

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
                read, names = file.read(window=part, masked=True), descriptions_of(file)
        except RasterioError as error:
            raise MapError(
                f"'{self.path}' is damaged in rows {window.row} to {window.row + window.height}",
                hint="make the map again, or copy it again",
            ) from error
        stored = read.data
        missing = (np.ma.getmaskarray(read) | (stored == NO_PERCENT)).all(axis=0)
        if self.is_percent:
            return np.where(missing, np.nan, stored[0])
        percent = self._of_shown_class(stored, names, window) * (100.0 / PROBABILITY_STEPS)
        return np.where(missing, np.nan, percent)

    def _of_shown_class(self, stored: AnyArray, names: Sequence[str], window: Window) -> AnyArray:
        """(height, width) probability of the class that the map shows, the largest one where that has no band.

        It is not the largest one where a small patch was given to a neighbour, or where the parent was chosen first. Bands
        are found by their names; those of a map without class names are its values from 1.
        """
        found, shown = stored.max(axis=0), self.of.read(window).filled(0)
        are_values = self._are_values(names)
        for value, (band, name) in enumerate(zip(stored, names, strict=True), start=1):
            is_named = bool(name) and clean_name(name) == self.of.name_of(value)
            if is_named or are_values:
                found = np.where(shown == value, band, found)
        return np.asarray(found)

    def _are_values(self, names: Sequence[str]) -> bool:
        """Whether bands are in the order of a map's values, which have no names: none is missing, or named like another."""
        if self.of.names:
            return False
        for value, name in enumerate(names, start=1):
            if name.strip().isdecimal() and int(name) != value:
                return False
        return all(1 <= value <= len(names) for value in self.of.counts())


def find_confidence(opened: ReadMap, warn: Callable[[str], None]) -> Confidence | None:
    """Find the confidence of a map: ``MAP_confidence.tif`` beside it, else ``MAP_probabilities.tif``.

    The confidence of a mosaic, ``MAP.vrt``, may be a mosaic as well: ``MAP_confidence.vrt``.

    Args:
        opened: The map.
        warn: Receives a sentence about a file of that name that is not the map's confidence.

    Returns:
        The confidence; None if there is neither, or none with the pixels of the map.
    """
    if (percent := _first_fitting(_percent_beside(opened), opened, warn)) is not None:
        return percent
    probabilities = MapPaths.of(Path(opened.path), probabilities=True).probabilities
    assert probabilities is not None  # asked for above
    return _first_fitting([Confidence(probabilities, is_percent=False, of=opened)], opened, warn)


def find_percent(opened: ReadMap, warn: Callable[[str], None]) -> ReadMap | None:
    """Find the raster of per cent of a map: ``MAP_confidence.tif`` beside it, or that of a mosaic (see `find_confidence`).

    Args:
        opened: The map.
        warn: Receives a sentence about a file of that name that is not the map's confidence.
    """
    found = _first_fitting(_percent_beside(opened), opened, warn)
    return None if found is None else _read_percent(found.path)


def _read_percent(path: str | os.PathLike[str]) -> ReadMap:
    """Open a raster of per cent, in which 0 is a number like any other unless it is declared as nodata."""
    opened = read_percent(path)
    nodata = opened.class_values.nodata
    values = ClassValues(float(NO_PERCENT) if nodata is None else nodata, {})
    return dataclasses.replace(opened, class_values=values, rejected=())


def _percent_beside(opened: ReadMap) -> list[Confidence]:
    """Where the raster of per cent of a map may be, the likeliest place first."""
    path = Path(opened.path)
    beside = MapPaths.of(path, confidence=True).confidence
    assert beside is not None  # asked for above
    mosaics = [beside.with_suffix(path.suffix)] if path.suffix.lower() == ".vrt" else []
    return [Confidence(one, is_percent=True, of=opened) for one in (*mosaics, beside)]


def _first_fitting(
    candidates: Iterable[Confidence], opened: ReadMap, warn: Callable[[str], None]
) -> Confidence | None:
    """The first raster that is there and is the confidence of a map. A sentence names each that is not."""
    for found in candidates:
        if not found.path.is_file():
            continue
        problem = _problem(found, opened)
        if problem is None:
            return found
        warn(f"'{found.path}' is not used as the confidence of map '{opened.path}': {problem}")
    return None


def require_percent(path: str | os.PathLike[str], opened: ReadMap) -> ReadMap:
    """Open a raster that was given as the confidence of a map.

    Args:
        path: Raster of per cent.
        opened: The map.

    Raises:
        MapNotFoundError: If there is no such file.
        MapError: If it is no raster of whole per cent on the pixels of the map.
    """
    name = require_path("a confidence", path, "give the path of a raster of per cent")
    if exists(name) or is_gdal_name(name):
        problem = _problem(Confidence(Path(name), is_percent=True, of=opened), opened, kinds=_WHOLE)
        if problem is not None:
            raise MapError(
                f"'{name}' cannot be the confidence of map '{opened.path}': {problem}",
                hint="give the file of confidence that was written with the map",
            )
    return _read_percent(path)


def _problem(
    found: Confidence, opened: ReadMap, *, kinds: tuple[str, ...] = ("uint8",)
) -> str | None:
    """Why a raster is not the confidence of a map; None if it is.

    Raises:
        MapError: If it is damaged.
    """
    name = str(found.path)
    require_local(name, "confidence", MapError)
    try:
        with quiet_gdal(name), open_raster(name) as file:
            grid, dtypes = grid_of_raster(file, name), file.dtypes
        if any(dtype not in kinds for dtype in dtypes) or (found.is_percent and len(dtypes) > 1):
            bands = "one band" if len(dtypes) == 1 else f"{len(dtypes)} bands"
            return f"it has {bands} of {dtypes[0]}, not one of whole per cent"
        if not same_pixels(opened.grid, grid):
            own, theirs = _described(opened.grid), _described(grid)
            return f"it has other pixels, {theirs}; the map has {own}"
        low, high = _range(found, opened.grid)
    except RasterioError as error:
        raise MapError(
            f"confidence '{name}' cannot be read ({plain(error)})",
            hint="make the map again, or copy it again",
        ) from error
    if low < 0 or high > 100:
        return f"its values go from {low:g} to {high:g}, and per cent from 0 to 100"
    return None


def _described(grid: Grid) -> str:
    return f"{grid.height} x {grid.width} of {describe_pixels(grid)}"


def _range(found: Confidence, grid: Grid) -> tuple[float, float]:
    """Least and largest per cent of a raster; (0, 0) if it has none."""
    percent = read_percent(found.path) if found.is_percent else None
    low, high = [0.0], [0.0]
    for strip in blocks(*grid.shape, STRIP_PX, grid.width):
        values = found.read(strip) if percent is None else percent.read(strip).compressed()
        if np.isfinite(values).any():
            low.append(float(np.nanmin(values)))
            high.append(float(np.nanmax(values)))
    return min(low), max(high)
