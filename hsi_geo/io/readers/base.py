"""The description of a scene file, common to all formats, and how its pixels are read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from hsi_geo.arrays import AnyArray, BoolArray, Float64Array, IndexArray
from hsi_geo.errors import HsiGeoError, MissingPackageError, SceneError
from hsi_geo.io.readers.quality_layers import AppliedMask, QualityLayer
from hsi_geo.tiling import Grid, SensorFrame, Window
from hsi_geo.wavelengths import Bands, DeclaredBands, resolve_bands

#: Largest distance from the origin in pixels. Farther away, coordinates cannot separate pixels.
MAX_ORIGIN_PX = 1e12

#: Largest factor and offset. Stored values are below 1e30, so that products fit into 32-bit floats.
MAX_SCALE, MAX_OFFSET = 1e8, 1e30

Errors = type[HsiGeoError]


class Pixels(Protocol):
    """Stored values of a scene, read window by window.

    Objects can be pickled: DataLoader workers and Dask open files by themselves. Their attributes ``path``, ``paths``,
    ``files`` and ``dem`` name the files; see `pixel_files`.
    """

    def read(self, bands: IndexArray, window: Window) -> AnyArray:
        """Read some bands of a window.

        Args:
            bands: (B,) indices from 0, in any order.
            window: Window inside the grid.

        Returns:
            (B, height, width) stored values, in the file's type.
        """


@dataclass(frozen=True, eq=False)
class PlacedGrid:
    """An upright grid over an image of a sensor.

    Attributes:
        grid: The grid.
        lookup: Two bands of the grid: column and row in the image that each pixel shows, from 1. 0 means none, a
            negative number a neighbouring pixel (JPL's convention).
        note: What was done, for the user; empty for nothing worth a word.
        warning: What is not exact about the place; empty for nothing.
    """

    grid: Grid
    lookup: Pixels
    note: str = ""
    warning: str = ""


class Geolocation(Protocol):
    """How the rows and columns of an image lie on the Earth, if they are not those of an upright grid."""

    def frame(self, shape: tuple[int, int], name: str) -> SensorFrame:
        """Where the rows and columns lie; arguments and errors as in `on_grid`."""

    def on_grid(
        self, shape: tuple[int, int], wanted: str | None, name: str, size: float | None = None
    ) -> PlacedGrid:
        """Choose an upright grid for the image.

        Args:
            shape: (rows, columns) of the image.
            wanted: "UTM", "native", a code such as "EPSG:32633", or None for the grid that fits best.
            name: Name of the scene, for messages.
            size: Side of a pixel in the unit of the CRS; None for that of the image.

        Raises:
            SceneError: If the image has no place.
            OptionError: If the image does not fit into the wanted CRS, or the pixels are far too small.
        """


@dataclass(frozen=True, eq=False, kw_only=True)
class SceneFile:
    """A scene on disk: its description, and an object that reads its pixels.

    Attributes:
        name: The path as the user gave it.
        driver: The format, by GDAL's name where it has one.
        grid: Size, geotransform and CRS.
        geolocation: Where the pixels lie, if they are not on an upright grid; see `placement.place`. Rows and columns
            are then those of the sensor. None for an upright grid, and for a rotated one.
        found: Wavelengths and widths as the file declares them; None if it declares none.
        found_warnings: Sentences about lists of wavelengths that cannot be used. They do not apply if the
            user gives wavelengths.
        good: (C,) the file's bad-band list, False where bad; None if it has none.
        good_source: Name of that list.
        dtype: Type of the stored values.
        nodata: (C,) stored value that means no data, NaN where none is declared.
        scale: (C,) factor from stored to physical values.
        offset: (C,) offset, added after scaling.
        pixels: Reads the stored values.
        placed: How the image of the file was put onto the grid, as JSON values for records; None if it was not.
        quality: Flags of the product's pixels.
        mask: The flags that are applied to the pixels; None before a choice is made.
        block_px: (rows, columns) of the blocks that pixels are stored in; None if they are stored row by
            row.
        packed: Whether the file is compressed as a whole, so that every window needs all bytes before it.
        notes: Remarks for the user. One short sentence each, without the scene's name and without a full
            stop ("0 counts as no data, as ...").
        warnings: Remarks about what may make a result worse, in the same form. Both go to the scene's
            ``attrs``; `io.scenes.properties.log_remarks` reports them once a job, and `info` lists them.
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
    geolocation: Geolocation | None = None
    placed: Mapping[str, Any] | None = None
    quality: tuple[QualityLayer, ...] = ()
    mask: AppliedMask | None = None
    block_px: tuple[int, int] | None = None
    packed: bool = False
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the geotransform, the type of the values, scale and offset.

        Raises:
            SceneError: If pixels have no size or no position, values are complex or no numbers, or scale or
                offset are not finite or too large.
        """
        require_real(self.dtype, self.name)
        for values, most, what in (
            (self.scale, MAX_SCALE, "scale factor"),
            (self.offset, MAX_OFFSET, "offset"),
        ):
            unusable = ~(np.abs(values) <= most)
            if unusable.any():
                raise SceneError(
                    f"scene '{self.name}' has the {what} {values[unusable][0]:g}, which is no number "
                    f"up to {most:g}",
                    hint="correct it in the file, for example with gdal_edit.py -scale or -offset",
                )
        t = self.grid.transform
        size = abs(t.a * t.e - t.b * t.d) ** 0.5
        if not 0 < size < np.inf or not max(abs(t.c), abs(t.f)) < MAX_ORIGIN_PX * size:
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
        """Wavelengths in nm; None if the file has none. Computed on demand: the user can override wrong ones.

        Raises:
            WavelengthError: If the declared numbers are no wavelengths.
        """
        if self.found is None:
            return None
        bands = resolve_bands(self.found, good=self.good)
        return replace(bands, warnings=(*self.found_warnings, *bands.warnings))


def require_real(dtype: Any, name: str, what: str = "scene", wrong: Errors = SceneError) -> None:
    """Refuse types that are not real numbers: imaginary parts would be lost.

    Args:
        dtype: Type of NumPy, or rasterio's name of a type.
        name: Name of the file, for messages.
        what: What the file is meant to be, for messages.
        wrong: Exception class to raise.

    Example:
        >>> require_real("complex64", "a.tif")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        hsi_geo.errors.SceneError: scene 'a.tif' holds complex numbers (complex64), ...
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
    """Whether a type has two fields, as complex numbers in HDF5 and netCDF do."""
    fields = getattr(dtype, "fields", None)
    return fields is not None and len(fields) == 2


@dataclass(frozen=True, eq=False)
class StackedPixels:
    """The bands of several cubes as one cube.

    Attributes:
        parts: The cubes, of the same height and width, in the order of the bands.
        counts: Number of bands of each cube.
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
        cube: The cube with all bands.
        kept: (B,) indices of the bands that are kept.
    """

    cube: Pixels
    kept: IndexArray

    def read(self, bands: IndexArray, window: Window) -> AnyArray:
        """See `Pixels.read`."""
        return self.cube.read(self.kept[bands], window)


@dataclass(frozen=True, eq=False, kw_only=True)
class ArrayPixels(ABC):
    """A variable of a netCDF, HDF5 or Zarr file.

    Attributes:
        path: Path of the file or store.
        order: Letters of the variable's axes in their order: b(and), y, x.
        stamp: State of the file when it was described, see `paths.stamp`.
    """

    path: str
    order: str
    stamp: tuple[int, int]

    @abstractmethod
    def variable(self) -> Any:
        """The variable of the open file; it is indexed with one slice for each axis."""

    def read(self, bands: IndexArray, window: Window) -> AnyArray:
        """(B, height, width) stored values; see `Pixels.read`.

        Raises:
            SceneError: If the file is damaged or cut short.
        """
        try:
            return read_part(self.variable(), self.order, bands, window)
        except Exception as error:  # the libraries may raise anything
            raise unreadable(self.path, window, plain(error)) from error


def read_part(array: Any, order: str, bands: IndexArray, window: Window) -> AnyArray:
    """Read a window of an array with any order of axes.

    Args:
        array: Array that is indexed with one slice for each axis.
        order: Letters of its axes in their order: b(and), y, x; without b it has a single band. 1 stands for an
            axis of that length.
        bands: (B,) indices from 0, in any order.
        window: Window inside the array.

    Returns:
        (B, height, width) values.

    Example:
        >>> cube = np.arange(24).reshape(2, 3, 4)  # rows, columns, bands
        >>> read_part(cube, "yxb", np.array([3, 0]), Window(0, 1, 1, 2)).tolist()
        [[[7, 11]], [[4, 8]]]
    """
    first = int(bands.min()) if "b" in order else 0
    rows, cols = window.slices
    part = {"b": slice(first, int(bands.max()) + 1), "y": rows, "x": cols}
    values = np.asarray(array[tuple(part.get(axis, 0) for axis in order)])
    order = order.replace("1", "")
    if "b" not in order:
        values, order = values[None], "b" + order
    values = values.transpose([order.index(axis) for axis in "byx"])
    return values[bands - first]


def per_band(values: Any, count: int) -> Float64Array:
    """One number for each band.

    Args:
        values: One number for all bands, one for each, or None for NaN.
        count: Number of bands.

    Returns:
        (count,) numbers. Of a list with another length, the first number for all bands.

    Example:
        >>> per_band(2, 3), per_band(None, 1)
        (array([2., 2., 2.]), array([nan]))
    """
    if np.iscomplexobj(values):
        raise ValueError("it holds complex numbers")
    numbers = np.atleast_1d(np.asarray(np.nan if values is None else values, np.float64)).ravel()
    return np.broadcast_to(numbers if len(numbers) == count else numbers[:1], (count,)).copy()


def missing_package(package: str, name: str, install: str) -> MissingPackageError:
    """The error for a scene whose format needs a package that is not installed.

    Args:
        package: Name of the package.
        name: Name of the scene.
        install: What pip has to install.
    """
    return MissingPackageError(
        f"scene '{name}' needs the package {package}, which is not installed",
        hint=f"run: pip install {install}",
    )


def unreadable(name: str, window: Window, reason: str) -> SceneError:
    """The error for a file that fails while its pixels are read.

    Args:
        name: Name of the scene.
        window: The window that was read.
        reason: Message of the library.
    """
    return SceneError(
        f"scene '{name}' cannot be read at row {window.row}, column {window.col} ({reason})",
        hint="copy or download the file again",
    )


def plain(error: BaseException) -> str:
    r"""The first line of an exception's message, without its full stop.

    Example:
        >>> plain(ValueError("Not a number.\nDetails"))
        'Not a number'
    """
    lines = str(error.__cause__ or error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def blocks_of(chunks: Sequence[int] | None, order: str) -> tuple[int, int] | None:
    """Size of an array's chunks in pixels.

    Args:
        chunks: Length of a chunk along each axis; None without chunks.
        order: Letters of the axes, as in `read_part`.

    Returns:
        (rows, columns); None without chunks.

    Example:
        >>> blocks_of((10, 20, 30), "byx")
        (20, 30)
    """
    return (int(chunks[order.index("y")]), int(chunks[order.index("x")])) if chunks else None
