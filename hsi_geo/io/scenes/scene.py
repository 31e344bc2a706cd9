"""Scenes: one lazy DataArray whatever the file, and windows of it ready for arithmetic.

What counts as missing, and what scale values have, is decided here and nowhere else.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from affine import Affine
from pyproj import CRS

from hsi_geo.errors import SceneError, WavelengthError
from hsi_geo.io.files.paths import exists
from hsi_geo.io.readers import SceneFile, read_scene
from hsi_geo.io.readers.base import require_real
from hsi_geo.io.scenes.lazy import CHECKED_BY, band_coordinates, lazy_array, placed
from hsi_geo.io.scenes.wavelength_option import bands_from_option
from hsi_geo.progress import Reporter
from hsi_geo.tiling import Grid, Window
from hsi_geo.wavelengths import Bands, StatedBands, make_bands, read_bands, usual_spacing

#: No sensor measures numbers like this: they are some program's nodata, undeclared.
ABSURD = 1e30

#: Numbers above the first are looked at twice: whether they are so many times most of their spectrum.
LARGE, OUTLANDISH = 1e9, 1e6

#: In as many bands no spectrum has the same value.
MANY_BANDS = 8

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
    bands = read_bands(StatedBands(centres, "nm", "given", widths))
    attrs: dict[str, Any] = {"source": name, "wavelength_source": bands.source}
    if bands.warnings:
        attrs["warnings"] = bands.warnings
    if nodata is not None:
        attrs["_FillValue"] = nodata
    grid = grid or Grid(values.shape[1], values.shape[2], Affine.identity(), None)
    scene = xr.DataArray(
        values, dims=("band", "y", "x"), coords=band_coordinates(bands), name=name, attrs=attrs
    )
    return placed(scene, grid)


# What a model asks of a scene -----------------------------------------------------------------


def grid_of(scene: xr.DataArray) -> Grid:
    """Size and place of a scene."""
    crs = scene.rio.crs
    height, width = scene.shape[-2:]
    return Grid(height, width, _transform_of(scene), CRS.from_wkt(crs.to_wkt()) if crs else None)


def _transform_of(scene: xr.DataArray) -> Affine:
    """The affine as the file has it; from the coordinates where a scene was cut or has none."""
    mapping = scene.coords.get(scene.rio.grid_mapping)
    stored = None if mapping is None else mapping.attrs.get("GeoTransform")
    transform = None if stored is None else Affine.from_gdal(*map(float, stored.split()))
    if "x" not in scene.coords or "y" not in scene.coords:
        return Affine.identity() if transform is None else transform
    x, y = scene["x"].values, scene["y"].values
    if transform is not None:
        first = ~transform @ (float(x[0]), float(y[0]))
        last = ~transform @ (float(x[-1]), float(y[-1]))
        whole = (0.5, 0.5, len(x) - 0.5, len(y) - 0.5)
        if np.allclose((*first, *last), whole, atol=1e-3):
            return transform
    xres = float(x[1] - x[0]) if len(x) > 1 else transform.a if transform else 1.0
    yres = float(y[1] - y[0]) if len(y) > 1 else transform.e if transform else 1.0
    return Affine(xres, 0.0, float(x[0]) - xres / 2, 0.0, yres, float(y[0]) - yres / 2)


def name_of(scene: xr.DataArray) -> str:
    """The path a scene came from, for messages."""
    return str(scene.attrs.get("source", scene.name or "array"))


@dataclass(frozen=True, slots=True)
class Remarks:
    """What was noticed while a scene was opened; see `readers.base.SceneFile`.

    Attributes:
        notes: Worth knowing.
        warnings: What may make a result worse than it looks.
    """

    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def remarks_of(scene: xr.DataArray) -> Remarks:
    """What was noticed while a scene was opened."""
    return Remarks(
        tuple(scene.attrs.get("notes", ())),
        tuple(scene.attrs.get("warnings", ())),
    )


def files_of(scene: xr.DataArray) -> tuple[str, ...]:
    """Names of what a scene was opened from: its own, and that of a file of wavelengths."""
    names = (scene.attrs.get("source"), scene.attrs.get("wavelength_file"))
    return tuple(str(name) for name in names if name)


def tell_about(scenes: Sequence[xr.DataArray], reporter: Reporter) -> None:
    """Tell what was noticed while scenes were opened.

    Whatever a job opens it tells about itself, once, before it works: `adapt`, `predict`,
    `pretrain` and `batch` do; those that are made of them do not.
    """
    for scene in scenes:
        remarks = remarks_of(scene)
        for note in remarks.notes:
            reporter.log(f"scene '{name_of(scene)}': {note}")
        for warning in remarks.warnings:
            reporter.warning(f"scene '{name_of(scene)}': {warning}")


def bands_of(scene: xr.DataArray) -> Bands:
    """The spectral side of a scene.

    Raises:
        WavelengthError: If the array has no ``wavelength`` coordinate along ``band``.
    """
    if "wavelength" not in scene.coords:
        raise WavelengthError(
            f"scene '{name_of(scene)}' has no coordinate named wavelength",
            hint="open it with hsi_geo.open_scene, or assign band centres in nm to it",
        )
    wavelength = scene["wavelength"]
    centres = np.asarray(wavelength.values, np.float64)
    fwhm = np.asarray(scene["fwhm"].values, np.float64) if "fwhm" in scene.coords else None
    good = np.asarray(scene["good"].values, bool) if "good" in scene.coords else None
    source = "the array's coordinates"
    if CHECKED_BY in wavelength.attrs:
        if good is None:
            return make_bands(centres, fwhm_nm=fwhm, source=source)
        return Bands(centres, usual_spacing(centres) if fwhm is None else fwhm, good, source)
    widths_unit = None if fwhm is None else scene["fwhm"].attrs.get("units")
    unit = wavelength.attrs.get("units") or "nm"
    bands = read_bands(StatedBands(centres, unit, source, fwhm, widths_unit), good=good)
    return bands if good is None else dataclasses.replace(bands, good=good)


def spectral_view(scene: xr.DataArray) -> xr.DataArray:
    """The scene as models see it: good bands only, by increasing wavelength; still lazy."""
    return scene.isel(band=bands_of(scene).in_order())


def rescaled(scene: xr.DataArray, factor: float) -> xr.DataArray:
    """The scene with its physical values multiplied; still lazy.

    What is missing stays so: stored values are as they were, only the scale that is declared of them
    is another.
    """
    if factor == 1.0:
        return scene
    scale, offset = scene.attrs.get("scale_factor", 1.0), scene.attrs.get("add_offset", 0.0)
    return scene.assign_attrs(
        scale_factor=np.multiply(scale, factor), add_offset=np.multiply(offset, factor)
    )


def require_upright(scene: xr.DataArray) -> None:
    """Refuse a rotated grid: windows are cut along rows and columns.

    Raises:
        SceneError: If rows do not run along the x axis.
    """
    grid = grid_of(scene)
    if grid.is_rotated:
        name, degrees = name_of(scene), grid.rotation_degrees
        if degrees > 179.0:  # a little the other way
            degrees -= 180.0
        shown = f"{degrees:.1f}" if abs(degrees) >= 0.05 else f"{degrees:.2g}"
        raise SceneError(
            f"scene '{name}' has a grid rotated by {shown} degrees, and only upright grids can be "
            "mapped",
            hint=f"straighten it with: gdalwarp -r near {shlex.quote(name)} upright.tif",
        )


def read_window(
    scene: xr.DataArray, window: Window
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Physical values of a window that may reach beyond the scene.

    The rule for missing data: a pixel counts if at least one band has data there. Its missing
    bands take the value of the nearest band (in order) that has some. Declared nodata values,
    NaN, infinities, numbers beyond `ABSURD` and those far beyond their own spectrum are missing; so is a pixel that has one and the same
    value in all of many bands, which is fill or saturation and no spectrum. Without a declared
    value (other than NaN), 0 in all of several bands is missing, too.

    Args:
        scene: (band, y, x), usually a `spectral_view`.
        window: Pixels, counted in the scene.

    Returns:
        image: (C, height, width) scaled values, 0 where there is no data.
        valid: (height, width) True where there is data.
    """
    image, valid, _ = read_window_and_gaps(scene, window)
    return image, valid


def read_window_and_gaps(
    scene: xr.DataArray, window: Window
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """As `read_window`, and which bands had data.

    Returns:
        image: (C, height, width).
        valid: (height, width).
        seen: (C,) whether a band has data in at least one pixel.
    """
    inside = window.clip(*scene.shape[-2:])
    image = np.zeros((scene.shape[0], *window.shape), np.float32)
    valid = np.zeros(window.shape, bool)
    if not (inside.height and inside.width):
        return image, valid, np.zeros(scene.shape[0], bool)
    rows, cols = inside.slices
    stored = scene[:, rows, cols].values
    here = inside.relative_to(window).slices
    image[:, here[0], here[1]], valid[here], seen = physical(stored, scene)
    return image, valid, seen


def block_of(scene: xr.DataArray) -> tuple[int, int]:
    """(rows, columns) of the pieces that a scene's pixels are stored in."""
    rows, cols = scene.attrs.get("block_px", (1, scene.shape[-1]))
    return int(rows), int(cols)


def physical(
    stored: npt.NDArray[Any], scene: xr.DataArray
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Physical values of (C, height, width) stored ones; see `read_window_and_gaps`."""
    present = has_values(stored, _per_band(scene, "_FillValue"))
    if np.issubdtype(stored.dtype, np.floating):
        stored = np.where(present, stored, 0)  # NaN and what float32 cannot hold
    image = stored.astype(np.float32)
    scale, offset = _per_band(scene, "scale_factor"), _per_band(scene, "add_offset")
    if scale is not None and offset is not None and ((scale != 1) | (offset != 0)).any():
        image *= scale.astype(np.float32)[:, None, None]
        image += offset.astype(np.float32)[:, None, None]
    valid = present.any(axis=0)
    gaps = valid & ~present.all(axis=0)
    if gaps.any():
        image[:, gaps] = _from_nearest_band(image[:, gaps], present[:, gaps])
    if not valid.all():
        image[:, ~valid] = 0.0
    return image, valid, present.any(axis=(1, 2))


def has_values(
    stored: npt.NDArray[Any], nodata: npt.NDArray[np.float64] | None
) -> npt.NDArray[np.bool_]:
    """Where there is data, by the rule of `read_window`.

    Args:
        stored: (C, height, width).
        nodata: (C,) stored values that mean no data, NaN where none is declared; None for none.

    Returns:
        (C, height, width) True where a band has data.
    """
    floating = np.issubdtype(stored.dtype, np.floating)
    present = _are_sane(stored) if floating else np.ones(stored.shape, bool)
    if len(stored) >= MANY_BANDS:
        # Few pixels have the same value in three bands: only those are looked at in all.
        alike = (stored[0] == stored[-1]) & (stored[0] == stored[len(stored) // 2])
        alike[alike] = (stored[:, alike] == stored[0, alike]).all(axis=0)
        present &= ~alike
    if nodata is None or np.isnan(nodata).all():
        if len(stored) > 1:
            present &= (stored != 0).any(axis=0)
        return present
    for band, value in enumerate(nodata):
        if not np.isnan(value):
            # A float file keeps its nodata value rounded to its own type.
            with np.errstate(over="ignore"):
                wanted = stored.dtype.type(value) if floating else value
            present[band] &= stored[band] != wanted
    return present


def _are_sane(stored: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """(C, height, width) False for NaN, infinities, and numbers that no spectrum has.

    A spectrum in any unit keeps its bands within a few powers of ten: a number that is large in itself
    and `OUTLANDISH` times most of its own spectrum is fill that nobody declared, such as 1e20.
    """
    size = np.abs(stored).astype(np.promote_types(stored.dtype, np.float32), copy=False)
    sane: npt.NDArray[np.bool_] = size < ABSURD
    if len(stored) > 2 and (large := size > LARGE).any():
        suspect = (sane & large).any(axis=0)
        spectra = np.where(sane[:, suspect], size[:, suspect], np.inf).astype(np.float64)
        usual = np.quantile(spectra, 0.25, axis=0, method="lower")
        sane[:, suspect] &= spectra <= np.maximum(OUTLANDISH * usual, LARGE)
    return sane


def _per_band(scene: xr.DataArray, key: str) -> npt.NDArray[np.float64] | None:
    """An attribute as (C,), restricted to the bands that the view still has."""
    if key not in scene.attrs:
        return None
    values = np.atleast_1d(np.asarray(scene.attrs[key], np.float64))
    if len(values) == 1:
        return np.repeat(values, scene.shape[0])
    return np.asarray(values[scene["band"].values - 1])


def _from_nearest_band(
    spectra: npt.NDArray[np.float32], present: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    """Fill gaps in (C, N) spectra, each with at least one present band."""
    bands = np.arange(len(spectra))[:, None]
    before = np.maximum.accumulate(np.where(present, bands, -len(spectra)), axis=0)
    after = np.where(present, bands, 2 * len(spectra))[::-1]
    after = np.minimum.accumulate(after, axis=0)[::-1]
    nearest = np.where(bands - before <= after - bands, before, after)
    return np.take_along_axis(spectra, nearest, axis=0)
