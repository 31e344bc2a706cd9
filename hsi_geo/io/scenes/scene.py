"""Opening scenes: one lazy DataArray, whatever the file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from affine import Affine

from hsi_geo.errors import SceneError, WavelengthError
from hsi_geo.io.files.paths import exists
from hsi_geo.io.readers import SceneFile, read_scene
from hsi_geo.io.readers.base import require_real
from hsi_geo.io.scenes.lazy import CHECKED_BY, band_coordinates, lazy_array, with_grid
from hsi_geo.io.scenes.properties import bands_of, name_of, remarks_of
from hsi_geo.io.scenes.wavelength_option import bands_from_option
from hsi_geo.tiling import Grid
from hsi_geo.wavelengths import DeclaredBands, resolve_bands

Path_ = str | os.PathLike[str]
SomeScene = Path_ | xr.DataArray
SomeScenes = SomeScene | Sequence[SomeScene]


def open_scene(path: SomeScene, *, wavelengths: str | None = None) -> xr.DataArray:
    """Open a hyperspectral scene without reading its pixels.

    Args:
        path: GeoTIFF, ENVI cube or its header, EnMAP or DESIS product (folder, archive or a file of
            it), PRISMA L2D, EMIT L2A, NEON or AVIRIS in HDF5 or netCDF, Zarr store, whatever else
            GDAL reads (`/vsicurl/...`); or a scene opened before, which is returned as it is; or
            another array with a coordinate ``wavelength`` along ``band``, in the unit that its
            attribute ``units`` tells (nm if there is none).
        wavelengths: Overrides what the file says of its band centres: a file (one centre in
            nm a line, or a CSV with a ``wavelength`` column; all under 100 are taken for
            micrometres), ``START:STOP`` in nm for evenly
            spread bands, or ``index`` for bands without a physical meaning.

    Returns:
        (band, y, x) lazy array of stored values, with coordinates ``wavelength`` and ``fwhm``
        (nm) and ``good`` (bool) along ``band``, in the file's order. ``.rio`` gives the grid;
        ``attrs["source"]`` the path, ``attrs["notes"]`` and ``attrs["warnings"]``, where there are
        any, what was noticed in the file.

    Raises:
        SceneNotFoundError: If there is no such file.
        SceneError: If it holds no scene.
        MissingPackageError: If its format needs a package that is not installed.
        WavelengthError: If it has no wavelengths and none are given.
    """
    if isinstance(path, xr.DataArray):
        require_real(path.dtype, name_of(path))
        return _with_checked_bands(path)
    return scene_of(read_scene(path), wavelengths=wavelengths)


def _with_checked_bands(scene: xr.DataArray) -> xr.DataArray:
    """An array that somebody else made, with bands in nm that can be true."""
    centres = scene.coords.get("wavelength")
    if centres is None or CHECKED_BY in centres.attrs or "band" not in centres.dims:
        return scene
    bands = bands_of(scene)
    made = band_coordinates(bands)
    if "band" in scene.coords:
        del made["band"]
    # Coordinates that are only replaced keep the attributes of the old ones.
    checked = scene.drop_vars([name for name in made if name in scene.coords]).assign_coords(made)
    if bands.warnings:
        checked.attrs["warnings"] = (*bands.warnings, *remarks_of(scene).warnings)
    return checked


def scene_of(file: SceneFile, *, wavelengths: str | None = None) -> xr.DataArray:
    """A file that was described before as `open_scene` gives it; same arguments and errors."""
    if wavelengths is not None:
        scene = lazy_array(file, bands_from_option(wavelengths, file.band_count, file.good))
        if exists(wavelengths):
            scene.attrs["wavelength_file"] = wavelengths
        return scene
    bands = file.bands
    if bands is None:
        why = f" ({file.found_warnings[0]})" if file.found_warnings else ""
        raise WavelengthError(
            f"scene '{file.name}' has {file.band_count} bands and no wavelengths{why}",
            hint="give them with --wavelengths FILE (one centre in nm a line), "
            "--wavelengths START:STOP (nm, evenly spread) or --wavelengths index",
        )
    return lazy_array(file, bands)


def open_scenes(scenes: SomeScenes, *, wavelengths: str | None = None) -> list[xr.DataArray]:
    """Open one scene or several; see `open_scene`."""
    if isinstance(scenes, str | os.PathLike | xr.DataArray):
        return [open_scene(scenes, wavelengths=wavelengths)]
    if not scenes:
        raise SceneError("no scene was given", hint="give at least one")
    return [open_scene(scene, wavelengths=wavelengths) for scene in scenes]


def scene_from_array(
    values: npt.NDArray[Any],
    centres_nm: npt.NDArray[np.float64],
    *,
    fwhm_nm: npt.NDArray[np.float64] | None = None,
    grid: Grid | None = None,
    nodata: float | None = None,
    name: str = "array",
) -> xr.DataArray:
    """A scene from values in memory, as `open_scene` would give it.

    Args:
        values: (C, H, W) in any type.
        centres_nm: (C,) band centres in any order.
        fwhm_nm: (C,) widths, None for the distances between bands.
        grid: Place of the pixels; None counts them from the upper left.
        nodata: Value that means no data, None if none does.
        name: For messages.

    Returns:
        (band, y, x) array.

    Raises:
        SceneError: If shapes do not fit each other.
        WavelengthError: If the centres are no optical wavelengths.
    """
    if values.ndim != 3 or len(values) != len(centres_nm):
        raise SceneError(
            f"array '{name}' has the shape {values.shape} and there are {len(centres_nm)} band "
            "centres",
            hint="give (bands, rows, columns) and one centre a band",
        )
    require_real(values.dtype, name, "array")
    centres = np.asarray(centres_nm, np.float64)
    widths = None if fwhm_nm is None else np.asarray(fwhm_nm, np.float64)
    bands = resolve_bands(DeclaredBands(centres, "nm", "given", widths))
    attrs: dict[str, Any] = {"source": name, "wavelength_source": bands.source}
    if bands.warnings:
        attrs["warnings"] = bands.warnings
    if nodata is not None:
        attrs["_FillValue"] = nodata
    grid = grid or Grid(values.shape[1], values.shape[2], Affine.identity(), None)
    scene = xr.DataArray(
        values, dims=("band", "y", "x"), coords=band_coordinates(bands), name=name, attrs=attrs
    )
    return with_grid(scene, grid)
