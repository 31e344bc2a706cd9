"""Two maps on one grid: the pixels of the old map that the new one covers, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.warp import reproject

from hsi_geo.arrays import AnyArray, Float64Array, IntArray
from hsi_geo.errors import MapError
from hsi_geo.io.files.read_back import checksum, require_written
from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.maps.confidence import Confidence, find_confidence
from hsi_geo.io.maps.legend import read_legend
from hsi_geo.io.maps.pixel_lattices import describe_pixels, lattice_offset, with_longitudes_of
from hsi_geo.io.maps.reader import STRIP_PX, ReadMap
from hsi_geo.io.maps.writer import writing
from hsi_geo.tiling import Grid, Window, blocks

#: Number of pixels that a map rejects and that are not compared; classes of two maps have fewer numbers.
REJECTED = 2**16 - 1


@dataclass(frozen=True, eq=False)
class DatedMap:
    """A map of one date, with its classes.

    Attributes:
        opened: The map, with its rejected pixels.
        classes: Classes of the map, maybe some that no pixel has. Rejected pixels have one only if they are compared.
        rejected_names: Names of the rejected classes among them.
        rejected: Number of pixels that the map rejects: unlike any shot, or too uncertain.
        confidence: Confidence of the map; None if there is none beside it.
    """

    opened: ReadMap
    classes: ClassTable
    rejected_names: tuple[str, ...]
    rejected: int
    confidence: Confidence | None


def open_dated(
    opened: ReadMap, warn: Callable[[str], None], *, with_rejected: bool = False
) -> DatedMap:
    """Find the classes and the confidence of a map.

    Args:
        opened: Map of any program.
        warn: Receives a sentence about a file that is named as the confidence and is not used.
        with_rejected: Whether rejected pixels have a class, of their own.

    Raises:
        MapError: If no pixel has a class.
    """
    counts = opened.counts()
    left_out = {c.id for c in opened.rejected}
    names = tuple(c.name for c in opened.rejected) if with_rejected else ()
    compared = opened if with_rejected else opened.without_rejected()
    if not counts.keys() - left_out:
        raise MapError(
            f"map '{opened.path}' has no pixel with a class", hint="give a map with classes"
        )
    # Classes without a pixel as well, so that the number of a class of our maps is its id.
    values = {*compared.names, *counts} - (set() if with_rejected else left_out)
    classes = tuple(read_legend(compared, values).values())
    rejected = sum(count for value, count in counts.items() if value in left_out)
    return DatedMap(opened, classes, names, rejected, find_confidence(opened, warn))


@dataclass(frozen=True, eq=False)
class Layer:
    """A map on the common grid.

    Attributes:
        dated: The map.
        numbers: Number of each class by its value in the map, from 1.
        row: Row of the map that is the first of the common grid.
        col: Column of the map that is the first of the common grid.
        warped: Rasters of numbers and of per cent (or None) on the common grid, if the map's own pixels are others.
    """

    dated: DatedMap
    numbers: Mapping[int, int]
    row: int = 0
    col: int = 0
    warped: tuple[Path, Path | None] | None = None

    @property
    def with_class(self) -> int:
        """Number of pixels of the whole map that have a class; 0 if its own pixels are others than those of the grid."""
        if self.warped is not None:
            return 0
        counts = self.dated.opened.counts()
        return sum(counts.get(value, 0) for value, n in self.numbers.items() if n != REJECTED)

    def classes(self, window: Window) -> IntArray:
        """(height, width) number of the class of each pixel of a window, 0 for none, `REJECTED` where it is not compared."""
        if self.warped is not None:
            return _read(self.warped[0], window).astype(np.int64)
        return numbered(self.dated.opened.read(self._own(window)), self.numbers)

    def percent(self, window: Window) -> Float64Array:
        """(height, width) confidence of each pixel of a window, NaN where it has none."""
        if self.warped is not None:
            assert self.warped[1] is not None
            found = _read(self.warped[1], window).astype(np.float64)
            return np.where(found == 255, np.nan, found)
        assert self.dated.confidence is not None
        return self.dated.confidence.read(self._own(window))

    def _own(self, window: Window) -> Window:
        return Window(window.row + self.row, window.col + self.col, window.height, window.width)


def numbered(
    values: np.ma.MaskedArray[tuple[int, ...], np.dtype[np.int64]], numbers: Mapping[int, int]
) -> IntArray:
    """Numbers of classes for values of a map, 0 for values that have none."""
    present, index = np.unique(values.data, return_inverse=True)
    table = np.array([numbers.get(int(value), 0) for value in present], np.int64)
    found = table[index.reshape(values.shape)]
    found[np.ma.getmaskarray(values)] = 0
    return found


@contextmanager
def on_one_grid(
    old: DatedMap,
    new: DatedMap,
    names: tuple[str, ...],
    scratch: Path,
    *,
    resample: bool,
) -> Iterator[tuple[Grid, Layer, Layer]]:
    """Put two maps on one grid.

    Args:
        old: The old map, whose pixels are those of the grid.
        new: The new map.
        names: Names of the classes, in the order of their numbers.
        scratch: Folder for copies of a map on other pixels.
        resample: Whether a new map on other pixels is put on those of the old one, by the nearest pixel.

    Yields:
        The grid, and both maps on it.

    Raises:
        MapError: If the maps do not overlap, or their pixels differ and ``resample`` is False.
    """
    number_of = {name: number for number, name in enumerate(names, start=1)}
    numbers = [_numbers(one, number_of) for one in (old, new)]
    own, theirs = old.opened.grid, new.opened.grid
    offset = lattice_offset(own, theirs)
    if offset is None and (own.frame is not None or theirs.frame is not None):
        raise MapError(
            f"the maps have different pixels: {describe_pixels(own)} in '{old.opened.path}', {describe_pixels(theirs)} in "
            f"'{new.opened.path}'",
            hint="make both maps on one map grid, not in the rows and columns of a sensor",
        )
    if offset is None and not resample:
        raise MapError(
            f"the maps have different pixels: {describe_pixels(own)} in '{old.opened.path}', {describe_pixels(theirs)} in "
            f"'{new.opened.path}'",
            hint="give --resample, which puts the new map on the pixels of the old one by the nearest pixel",
        )
    if offset is None:
        warped = _warp(new, numbers[1], own, scratch)
        yield own, Layer(old, numbers[0]), Layer(new, numbers[1], warped=warped)
        return
    row, col = offset
    shared = Window(row, col, *theirs.shape).clip(*own.shape)
    if not shared.height or not shared.width:
        raise MapError(
            f"maps '{old.opened.path}' and '{new.opened.path}' do not overlap",
            hint="give two maps of the same land",
        )
    grid = Grid(shared.height, shared.width, own.transform_of(shared), own.crs, own.frame)
    yield (
        grid,
        Layer(old, numbers[0], shared.row, shared.col),
        Layer(new, numbers[1], shared.row - row, shared.col - col),
    )


def _numbers(dated: DatedMap, number_of: Mapping[str, int]) -> dict[int, int]:
    """Number of each class by its value in the map."""
    found = dict.fromkeys((c.id for c in dated.opened.rejected), REJECTED)
    return found | {c.id: number_of[c.name] for c in dated.classes}


def _warp(
    new: DatedMap, numbers: Mapping[int, int], grid: Grid, scratch: Path
) -> tuple[Path, Path | None]:
    """Copies of a map's classes and confidence on another grid, by the nearest pixel."""
    theirs = with_longitudes_of(grid, new.opened.grid)
    if (theirs.crs is None) != (grid.crs is None):
        raise MapError(
            "only one of the maps has a coordinate reference system",
            hint="assign one to the other with gdal_edit.py -a_srs",
        )
    drafts: list[tuple[Path, str, int]] = [(scratch / "classes.tif", "uint16", 0)]
    if new.confidence is not None:
        drafts.append((scratch / "percent.tif", "uint8", 255))
    for path, dtype, nodata in drafts:
        source = path.with_stem(f"{path.stem}_own")
        with _raster(source, theirs, dtype, nodata) as file:
            for block in _strips(theirs):
                if nodata == 0:
                    values: AnyArray = numbered(new.opened.read(block), numbers)
                else:
                    assert new.confidence is not None
                    values = np.nan_to_num(np.rint(new.confidence.read(block)), nan=nodata)
                file.write(values.astype(dtype), 1, window=_window(block))
        with rasterio.open(source) as read, _raster(path, grid, dtype, nodata) as file:
            reproject(
                rasterio.band(read, 1),
                rasterio.band(file, 1),
                src_nodata=nodata,
                dst_nodata=nodata,
                resampling=Resampling.nearest,
                tolerance=0,  # the nearest pixel itself: GDAL otherwise errs by up to an eighth of a pixel
            )
        source.unlink()
    return drafts[0][0], drafts[1][0] if len(drafts) > 1 else None


@contextmanager
def _raster(path: Path, grid: Grid, dtype: str, nodata: int) -> Iterator[rasterio.io.DatasetWriter]:
    """A new raster of one band, which is read back at the end."""
    with writing(path, "temporary file"):
        with rasterio.open(
            path, "w+", driver="GTiff", height=grid.height, width=grid.width, count=1, dtype=dtype,
            nodata=nodata, transform=grid.transform, compress="deflate",
            crs=None if grid.crs is None else grid.crs.to_wkt(),
        ) as file:  # fmt: skip
            yield file
            written = [(one, checksum(file.read(window=_window(one)))) for one in _strips(grid)]
        require_written(path, written, "temporary file")


def _strips(grid: Grid) -> Iterator[Window]:
    return blocks(grid.height, grid.width, STRIP_PX, grid.width)


def _read(path: Path, window: Window) -> AnyArray:
    with rasterio.open(path) as file:
        return np.asarray(file.read(1, window=_window(window)))


def _window(window: Window) -> rasterio.windows.Window:
    return rasterio.windows.Window(window.col, window.row, window.width, window.height)
