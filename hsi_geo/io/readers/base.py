"""What a reader has to tell about a scene, whatever file it sits in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from hsi_geo.arrays import AnyArray, BoolArray, Float64Array, IndexArray
from hsi_geo.errors import HsiGeoError, MissingPackageError, SceneError
from hsi_geo.tiling import Grid, Window
from hsi_geo.wavelengths import Bands, DeclaredBands, resolve_bands

#: Farther from the origin than this many pixels, coordinates no longer tell pixels apart.
LOST_PX = 1e12

Errors = type[HsiGeoError]


class Pixels(Protocol):
    """Stored values, read window by window.

    They must survive pickling, so that DataLoader workers and Dask can open files by themselves.
    """

    def read(self, bands: IndexArray, window: Window) -> AnyArray:
        """Stored values of some bands in a window inside the scene.

        Args:
            bands: (B,) indices from 0, in any order.
            window: Pixels inside the grid.

        Returns:
            (B, height, width) in the file's own type.
        """


@dataclass(frozen=True, slots=True)
class QualityLayer:
    """A flag that a product brings for each of its pixels.

    Attributes:
        flag: What it means, such as "cloud".
        path: Raster, as GDAL takes it; other than 0 is flagged.
        band: Of the raster, from 1.
    """

    flag: str
    path: str
    band: int


@dataclass(frozen=True, eq=False, kw_only=True)
class SceneFile:
    """A scene on disk: its description, and a way to read a window of it.

    Attributes:
        name: The path as the user gave it.
        driver: The format, in GDAL's words where it has some.
        grid: Size and place.
        found: What it says of its wavelengths, None if it says nothing.
        found_warnings: What it says of them in vain; moot where they are given in another way.
        good: (C,) the file's own bad-band list, False where bad; None if it has none.
        good_source: Where that list came from, in a word or two.
        dtype: How pixels are stored.
        nodata: (C,) stored value that means no data, NaN where none is declared.
        scale: (C,) factor from stored to physical values.
        offset: (C,) added after scaling.
        pixels: Reads them.
        quality: Flags of pixels.
        block_px: (rows, columns) of the pieces that pixels are stored in; None if they lie row by
            row.
        packed: Whether a window can only be had by unpacking all that lies before it.
        notes: What the reader noticed and whoever uses the scene should know, one short sentence
            each, without the scene's name and without a full stop ("0 counts as no data, as ...").
        warnings: The same where it may make a result worse than it looks. Both go to the scene's
            ``attrs``; `io.scenes.properties.log_remarks` tells them to a reporter, once a job, and `info` lists
            them. A reader adds to them with ``dataclasses.replace(file, warnings=(*file.warnings,
            "..."))``, or gives them at once.
    """

    name: str
    driver: str
    grid: Grid
    found: DeclaredBands | None
    found_warnings: tuple[str, ...] = ()
    good: BoolArray | None = None
    good_source: str = "bbl"
    dtype: np.dtype[Any]
    nodata: Float64Array
    scale: Float64Array
    offset: Float64Array
    pixels: Pixels
    quality: tuple[QualityLayer, ...] = ()
    block_px: tuple[int, int] | None = None
    packed: bool = False
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that pixels have a size and a place, and values that are real numbers.

        Raises:
            SceneError: If the geotransform maps them to nothing, or values are complex or no numbers.
        """
        require_real(self.dtype, self.name)
        t = self.grid.transform
        size = abs(t.a * t.e - t.b * t.d) ** 0.5
        if not 0 < size < np.inf or not max(abs(t.c), abs(t.f)) < LOST_PX * size:
            raise SceneError(
                f"scene '{self.name}' has the geotransform {t.to_gdal()}, which gives its pixels "
                "no size or no place",
                hint="give it a sound one with gdal_edit.py -a_ullr",
            )

    @property
    def band_count(self) -> int:
        """C, the number of bands."""
        return len(self.scale)

    @property
    def bands(self) -> Bands | None:
        """Wavelengths, None if the file has none. Made on demand: wrong ones can be overridden.

        Raises:
            WavelengthError: If what the file says are no wavelengths.
        """
        if self.found is None:
            return None
        bands = resolve_bands(self.found, good=self.good)
        return replace(bands, warnings=(*self.found_warnings, *bands.warnings))


def require_real(dtype: Any, name: str, what: str = "scene", wrong: Errors = SceneError) -> None:
    """Refuse values that are no real numbers: their imaginary part would be lost in silence.

    Args:
        dtype: Of numpy, or as rasterio names it.
        name: Of the file, for messages.
        what: The file is meant to be, for messages.
        wrong: Raised.
    """
    called = str(dtype)
    if "complex" in called or _is_pair(dtype):
        raise wrong(
            f"{what} '{name}' holds complex numbers ({called}), and only real ones can be used",
            hint="write their amplitude, or another real number, to a file and give that",
        )
    if np.dtype(dtype).kind not in "biuf":
        raise wrong(
            f"{what} '{name}' holds values of the type {called}, which are no numbers",
            hint="give a file of integers or floating point numbers",
        )


def _is_pair(dtype: Any) -> bool:
    """Whether a type is one of two numbers, as HDF5 and netCDF keep complex ones."""
    fields = getattr(dtype, "fields", None)
    return fields is not None and len(fields) == 2


@dataclass(frozen=True, eq=False)
class StackedPixels:
    """Bands of several cubes, one cube after the other.

    Attributes:
        parts: The cubes, of the same height and width.
        counts: Bands of each.
    """

    parts: tuple[Pixels, ...]
    counts: tuple[int, ...]

    def read(self, bands: IndexArray, window: Window) -> AnyArray:
        """See `Pixels.read`."""
        starts = np.cumsum((0, *self.counts))
        cube = np.searchsorted(starts, bands, side="right") - 1
        read = {int(i): self.parts[i].read(bands[cube == i] - starts[i], window) for i in set(cube)}
        values = np.empty((len(bands), *window.shape), np.result_type(*read.values()))
        for i, part in read.items():
            values[cube == i] = part
        return values


@dataclass(frozen=True, eq=False)
class PickedPixels:
    """Some bands of a cube.

    Attributes:
        cube: All bands.
        kept: Indices of those that count.
    """

    cube: Pixels
    kept: IndexArray

    def read(self, bands: IndexArray, window: Window) -> AnyArray:
        """See `Pixels.read`."""
        return self.cube.read(self.kept[bands], window)


@dataclass(frozen=True, eq=False, kw_only=True)
class ArrayPixels(ABC):
    """A variable of a file that keeps arrays.

    Attributes:
        path: Of the file or store.
        order: Of the variable's axes: b(and), y, x.
        stamp: Of the file, see `paths.stamp`.
    """

    path: str
    order: str
    stamp: tuple[int, int]

    @abstractmethod
    def variable(self) -> Any:
        """Takes one slice an axis; of the file as this process has it open."""

    def read(self, bands: IndexArray, window: Window) -> AnyArray:
        """(B, height, width) stored values; see `Pixels.read`.

        Raises:
            SceneError: If the file is damaged or cut short.
        """
        try:
            return read_part(self.variable(), self.order, bands, window)
        except Exception as error:  # whatever the libraries behind raise
            raise unreadable(self.path, window, plain(error)) from error


def read_part(array: Any, order: str, bands: IndexArray, window: Window) -> AnyArray:
    """A window of an array that keeps its axes in an order of its own.

    Args:
        array: Takes one slice an axis.
        order: Letters of its axes: b(and), y, x; without b it has a single band.
        bands: (B,) indices from 0, in any order.
        window: Pixels inside the array.

    Returns:
        (B, height, width).
    """
    first = int(bands.min()) if "b" in order else 0
    rows, cols = window.slices
    part = {"b": slice(first, int(bands.max()) + 1), "y": rows, "x": cols}
    values = np.asarray(array[tuple(part[axis] for axis in order)])
    if "b" not in order:
        values, order = values[None], "b" + order
    values = values.transpose([order.index(axis) for axis in "byx"])
    return values[bands - first]


def per_band(values: Any, count: int) -> Float64Array:
    """(count,) one number for each band, from one for all, one for each, or None for NaN."""
    numbers = np.atleast_1d(np.asarray(np.nan if values is None else values, np.float64)).ravel()
    return np.broadcast_to(numbers if len(numbers) == count else numbers[:1], (count,)).copy()


def missing_package(package: str, name: str, install: str) -> MissingPackageError:
    """The sentence for a scene whose format needs a package that is not there."""
    return MissingPackageError(
        f"scene '{name}' needs the package {package}, which is not installed",
        hint=f"run: pip install {install}",
    )


def unreadable(name: str, window: Window, why: str) -> SceneError:
    """The sentence for a file that fails while its pixels are read."""
    return SceneError(
        f"scene '{name}' cannot be read at row {window.row}, column {window.col} ({why})",
        hint="copy or download the file again",
    )


def plain(error: BaseException) -> str:
    """The first line of a library's message, without its full stop."""
    lines = str(error.__cause__ or error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def blocks_of(chunks: Sequence[int] | None, order: str) -> tuple[int, int] | None:
    """(rows, columns) of an array's chunks, None if it has none; order as in `read_part`."""
    return (int(chunks[order.index("y")]), int(chunks[order.index("x")])) if chunks else None
