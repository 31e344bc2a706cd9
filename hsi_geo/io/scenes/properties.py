"""What jobs need to know of an opened scene: its grid, its bands, its name, and remarks on its file."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from hsi_geo.errors import SceneError, WavelengthError
from hsi_geo.io.scenes.computed_values import warn_of_declared
from hsi_geo.io.scenes.coordinates import transform_of
from hsi_geo.io.scenes.declared_values import OFFSET, SCALE, by_band, declare
from hsi_geo.io.scenes.grid_mapping import read_crs
from hsi_geo.io.scenes.lazy import are_checked
from hsi_geo.progress import Reporter
from hsi_geo.tiling import Grid
from hsi_geo.wavelengths import Bands, DeclaredBands, make_bands, resolve_bands, usual_spacing

#: Scenes of at most this size are read as a whole, see `held_in_memory`.
SMALL_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Remarks:
    """What a reader found in a file; see `readers.base.SceneFile`.

    Attributes:
        notes: Facts worth knowing, one short sentence each.
        warnings: Facts that may make a result worse than it looks, one short sentence each.
    """

    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def grid_of(scene: xr.DataArray) -> Grid:
    """Size, transform and CRS of a scene.

    ``scene.hsi.grid`` is the same, computed once for each array.

    Args:
        scene: (..., y, x) array with the coordinates that rioxarray reads.

    Raises:
        SceneError: If the coordinates are not evenly spaced, or one of them is missing.
    """
    height, width = scene.shape[-2:]
    frame = scene.attrs.get("sensor_frame")
    return Grid(height, width, transform_of(scene, name_of(scene)), read_crs(scene), frame)


def require_upright(scene: xr.DataArray) -> None:
    """Refuse a rotated grid: windows are cut along rows and columns.

    Args:
        scene: (band, y, x) array.

    Raises:
        SceneError: If rows do not run along the x axis.
    """
    grid = grid_of(scene)
    if grid.is_rotated:
        name, degrees = name_of(scene), grid.rotation_degrees
        if degrees > 179.0:  # a small angle in the other direction
            degrees -= 180.0
        shown = f"{degrees:.1f}" if abs(degrees) >= 0.05 else f"{degrees:.2g}"
        raise SceneError(
            f"scene '{name}' has a grid rotated by {shown} degrees, and only upright grids can be "
            "mapped",
            hint="leave --no-straighten out, or straighten it with: gdalwarp -r near "
            f"{shlex.quote(name)} upright.tif",
        )


def name_of(scene: xr.DataArray) -> str:
    """The path that a scene was opened from, or the array's name, for messages.

    Args:
        scene: (band, y, x) array.
    """
    return str(scene.attrs.get("source", scene.name or "array"))


def files_of(scene: xr.DataArray) -> tuple[str, ...]:
    """Names of the files that a scene was opened from: its own, and those of its wavelengths and its mask.

    Args:
        scene: (band, y, x) array.
    """
    mask = scene.attrs.get("mask")
    names = (
        scene.attrs.get("source"),
        scene.attrs.get("wavelength_file"),
        None if mask is None else mask.file,
    )
    return tuple(str(name) for name in names if name)


def remarks_of(scene: xr.DataArray) -> Remarks:
    """What the reader found in the file of a scene, and what is not sure of values that were computed from it.

    Args:
        scene: (band, y, x) array from `open_scene`.
    """
    return Remarks(
        tuple(scene.attrs.get("notes", ())),
        (*scene.attrs.get("warnings", ()), *warn_of_declared(scene)),
    )


def log_remarks(scenes: Sequence[xr.DataArray], reporter: Reporter) -> None:
    """Send the remarks on the files of scenes to a reporter.

    A job calls it once for the scenes that it opens itself: `adapt`, `predict`, `pretrain` and
    `batch` do. Jobs that consist of those do not.

    Args:
        scenes: The opened scenes.
        reporter: Receives each note as a message and each warning as a warning.
    """
    for scene in scenes:
        remarks = remarks_of(scene)
        for note in remarks.notes:
            reporter.log(f"scene '{name_of(scene)}': {note}")
        for warning in remarks.warnings:
            reporter.warning(f"scene '{name_of(scene)}': {warning}")


def bands_of(scene: xr.DataArray) -> Bands:
    """Band centres, widths and flags of a scene, in the array's order.

    Args:
        scene: (band, y, x) array with a coordinate ``wavelength`` along ``band``.

    Raises:
        WavelengthError: If the array has no such coordinate.
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
    if are_checked(wavelength):
        if good is None:
            return make_bands(centres, fwhm_nm=fwhm, source=source)
        return Bands(centres, usual_spacing(centres) if fwhm is None else fwhm, good, source)
    widths_unit = None if fwhm is None else scene["fwhm"].attrs.get("units")
    unit = wavelength.attrs.get("units") or "nm"
    bands = resolve_bands(DeclaredBands(centres, unit, source, fwhm, widths_unit), good=good)
    return bands if good is None else dataclasses.replace(bands, good=good)


def select_good_bands(scene: xr.DataArray) -> xr.DataArray:
    """The good bands of a scene by increasing wavelength, the input of every model; still lazy.

    Args:
        scene: (band, y, x) array.

    Example:
        >>> import numpy as np
        >>> from hsi_geo.io.scenes.scene import scene_from_array
        >>> scene = scene_from_array(np.ones((3, 2, 2)), np.array([660.0, 1400.0, 550.0]))
        >>> select_good_bands(scene)["wavelength"].values.tolist()  # 1400 nm is water vapour
        [550.0, 660.0]
    """
    return scene.isel(band=bands_of(scene).in_order())


def held_in_memory(scene: xr.DataArray) -> xr.DataArray:
    """The scene with its values in memory if it is small, so that its file is read once and not for each use.

    Args:
        scene: (band, y, x) array; it stays lazy itself.
    """
    return scene.compute() if scene.nbytes <= SMALL_BYTES else scene


def rescaled(scene: xr.DataArray, factor: float) -> xr.DataArray:
    """The scene with its physical values multiplied by a factor; still lazy.

    Stored values and the nodata value stay as they are: only the declared scale and offset change.

    Args:
        scene: (band, y, x) array.
        factor: What physical values are multiplied by.
    """
    if factor == 1.0:
        return scene
    scaled = declare(scene, SCALE, factor * by_band(scene, SCALE, 1.0))
    return declare(scaled, OFFSET, factor * by_band(scene, OFFSET, 0.0))
