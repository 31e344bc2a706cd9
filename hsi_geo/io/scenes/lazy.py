"""The array that scenes become: lazy values with the bands and the grid as coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends.common import BackendArray
from xarray.core import indexing

from hsi_geo.arrays import Float64Array, IndexArray
from hsi_geo.io.files.paths import stem_of
from hsi_geo.io.readers import SceneFile
from hsi_geo.io.readers.glt import GltPixels
from hsi_geo.io.readers.pixel_files import pixel_files
from hsi_geo.io.scenes.declared_values import NODATA, OFFSET, SCALE, attrs_and_coords
from hsi_geo.io.scenes.grid_mapping import register_rio, write_grid
from hsi_geo.tiling import Grid, Window
from hsi_geo.wavelength_units import is_positive
from hsi_geo.wavelengths import Bands

register_rio()

#: Attribute of the coordinate ``wavelength`` that marks its unit as checked: the smallest and the largest centre in nm.
CHECKED = "checked_nm"

#: Share by which centres may differ in 32 bits.
_ROUNDED = 1e-6


@dataclass(frozen=True, slots=True)
class Opened:
    """What a scene was when it was opened; its array has this in its encoding.

    Attributes:
        files: Files that hold its values; see `pixel_files`.
        dtype: Type of the stored values.
        centres_nm: Band centres.
        grid: All pixels.
        is_copied: Whether the array reads an unchanged copy of the values, and no longer the files.
    """

    files: tuple[str, ...]
    dtype: np.dtype[np.generic]
    centres_nm: tuple[float, ...]
    grid: Grid
    is_copied: bool = False


def files_with_values(scene: xr.DataArray) -> tuple[str, ...] | None:
    """The files that an array reads its values from.

    xarray keeps the encoding when values are replaced, so it does not tell.

    Args:
        scene: (band, y, x) array.

    Returns:
        What `pixel_files` found for a scene that is still lazy, or a selection of it. None for values in memory:
        whether they were changed after they were read is not known.
    """
    opened: Opened | None = scene.encoding.get("opened")
    if opened is None:
        return None
    data: Any = scene.variable._data  # .data would read the pixels
    while not isinstance(data, _LazyPixels) and not opened.is_copied:
        data = getattr(data, "array", None)  # xarray's arrays that select, or copy on write
        if data is None:
            return None
    return opened.files


def are_checked(wavelength: xr.DataArray) -> bool:
    """Whether centres are in nm and known to be optical wavelengths.

    xarray keeps attributes when it computes with values: centres that are no longer in the range that was checked are not.

    Args:
        wavelength: Coordinate of the band centres.
    """
    limits = np.ravel(wavelength.attrs.get(CHECKED, ()))
    if limits.size != 2 or wavelength.attrs.get("units") != "nm":
        return False
    centres = np.asarray(wavelength.values, np.float64)
    low, high = limits[0] * (1 - _ROUNDED), limits[1] * (1 + _ROUNDED)
    return bool(((low <= centres) & (centres <= high))[is_positive(centres)].all())


def band_coordinates(bands: Bands) -> dict[str, Any]:
    """Coordinates of an array along ``band``: wavelength, fwhm, good flags and band numbers.

    Args:
        bands: Centres, widths and flags, in the order of the array.
    """
    return {
        "wavelength": ("band", bands.centres_nm, _attrs_in_nm(bands.centres_nm)),
        "fwhm": ("band", bands.fwhm_nm, {"units": "nm"}),
        "good": ("band", bands.good),
        "band": np.arange(1, len(bands.centres_nm) + 1),
    }


def _attrs_in_nm(centres_nm: Float64Array) -> dict[str, Any]:
    """Attributes of band centres whose unit was checked."""
    known = centres_nm[is_positive(centres_nm)]
    limits = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    return {"units": "nm", CHECKED: limits}


def lazy_array(file: SceneFile, bands: Bands) -> xr.DataArray:
    """A (band, y, x) array that reads its file when values are needed.

    Args:
        file: From a reader.
        bands: Centres, widths and flags, in the order of the file.
    """
    attrs, coords = attrs_and_coords({SCALE: file.scale, OFFSET: file.offset, NODATA: file.nodata})
    pixels: Any = indexing.LazilyIndexedArray(_LazyPixels(file))
    # Values that are assigned go to a copy in memory, as in what xarray opens.
    writable = indexing.CopyOnWriteArray(pixels)
    scene = xr.DataArray(
        xr.Variable(("band", "y", "x"), writable),
        coords=band_coordinates(bands) | coords,
        name=stem_of(file.name),
        attrs={
            "source": file.name,
            "driver": file.driver,
            "wavelength_source": bands.source,
            "bad_band_source": file.good_source,
            "block_px": file.block_px or (1, file.grid.width),
            "packed": file.packed,
            **attrs,
        },
    )
    # Arrays that are computed from this one keep the attributes, but most lose the encoding.
    scene.encoding["opened"] = Opened(
        pixel_files(file.pixels), file.dtype, tuple(bands.centres_nm.tolist()), file.grid
    )
    if file.notes:
        scene.attrs["notes"] = file.notes
    if file.warnings or bands.warnings:
        scene.attrs["warnings"] = (*bands.warnings, *file.warnings)
    if file.quality:
        scene.attrs["quality"] = file.quality
    if file.packed and isinstance(file.pixels, GltPixels):
        # In the order of the file.
        scene.attrs |= {"unpacks": file.pixels, "opened_shape": scene.shape}
    if file.placed is not None:
        scene.attrs["placed"] = file.placed
    if file.grid.frame is not None:
        scene.attrs["sensor_frame"] = file.grid.frame
    if file.mask is not None:
        scene.attrs["mask"] = file.mask
    return with_grid(scene, file.grid)


def with_grid(scene: xr.DataArray, grid: Grid) -> xr.DataArray:
    """The array with the coordinates of pixel centres, transform and CRS of a grid.

    Args:
        scene: (band, y, x) array.
        grid: With as many rows and columns. A rotated grid gets no coordinates, as x and y then depend on
            both row and column.
    """
    if not grid.is_rotated:
        rows, cols = np.arange(grid.height) + 0.5, np.arange(grid.width) + 0.5
        scene = scene.assign_coords(
            y=grid.transform.e * rows + grid.transform.f,
            x=grid.transform.a * cols + grid.transform.c,
        )
    return write_grid(scene, grid)


class _LazyPixels(BackendArray):
    """Reads only the bands and the window that an index selects."""

    def __init__(self, file: SceneFile) -> None:
        self.file = file
        self.shape = (file.band_count, *file.grid.shape)
        self.dtype = file.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        if isinstance(key, indexing.BasicIndexer | indexing.OuterIndexer):
            return self._read(key.tuple)  # xarray would read in order and then reorder a copy
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> Any:
        indices = [np.arange(size)[k] for size, k in zip(self.shape, key, strict=True)]
        bands, rows, cols = (np.atleast_1d(index) for index in indices)
        shape = [index.size for index in indices if index.ndim]
        if not (bands.size and rows.size and cols.size):
            return np.empty(shape, self.dtype)
        window = Window(
            int(rows.min()), int(cols.min()), int(np.ptp(rows)) + 1, int(np.ptp(cols)) + 1
        )
        pixels = self.file.pixels.read(bands, window)
        if not _is_contiguous(rows):  # a copy of a large window costs as much as reading it
            pixels = pixels[:, rows - window.row]
        if not _is_contiguous(cols):
            pixels = pixels[:, :, cols - window.col]
        return pixels.reshape(shape)


def _is_contiguous(indices: IndexArray) -> bool:
    """Whether each index is one more than the index before it."""
    return bool((np.diff(indices) == 1).all())
