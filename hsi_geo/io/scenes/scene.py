"""Opening scenes: one lazy DataArray, whatever the file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine

from hsi_geo import timings
from hsi_geo.arguments import require_flags, require_text
from hsi_geo.arrays import AnyArray, Float64Array
from hsi_geo.errors import OptionError, SceneError, WavelengthError
from hsi_geo.io.files.paths import exists
from hsi_geo.io.readers import Placement, SceneFile, read_scene
from hsi_geo.io.readers.base import require_real
from hsi_geo.io.readers.stac_assets import Links
from hsi_geo.io.scenes import accessor  # noqa: F401  (registers scene.hsi)
from hsi_geo.io.scenes.class_maps import is_class_map
from hsi_geo.io.scenes.coordinates import in_order
from hsi_geo.io.scenes.declared_values import along_bands
from hsi_geo.io.scenes.given_scenes import given_scene, given_scenes
from hsi_geo.io.scenes.lazy import are_checked, band_coordinates, lazy_array, with_grid
from hsi_geo.io.scenes.mask_option import AUTO, NONE, with_mask
from hsi_geo.io.scenes.properties import bands_of, name_of
from hsi_geo.io.scenes.wavelength_option import bands_from_option
from hsi_geo.tiling import Grid
from hsi_geo.wavelengths import Bands, DeclaredBands, resolve_bands

Path_ = str | os.PathLike[str]
SomeScene = Path_ | xr.DataArray | xr.Dataset
SomeScenes = SomeScene | Sequence[SomeScene]


@timings.stage(timings.OPENING)
def open_scene(
    path: SomeScene,
    *,
    wavelengths: Path_ | None = None,
    mask: Path_ = AUTO,
    grid: str | None = None,
    straighten: bool = True,
    pixel_size: float | None = None,
    dem: str | None = None,
    asset: str | None = None,
    follow_links: bool = False,
) -> xr.DataArray:
    """Open a hyperspectral scene without reading its pixels.

    Args:
        path: GeoTIFF, ENVI cube or its header, EnMAP or DESIS product (folder, archive or a file of
            it), PRISMA, Tanager, PACE, EMIT, NEON or AVIRIS in HDF5 or netCDF, Zarr store, or any other
            format of GDAL; or a link to one of these (``https://``, ``s3://``, ``/vsicurl/``); or a STAC
            item, as a file or a link. An array that was opened before is returned as it is. Any other
            array needs axes named ``y`` and ``x`` and one of the bands, and a coordinate ``wavelength``
            along the bands, in the unit of its attribute ``units`` (nm if there is none). Further axes
            have the length 1. A dataset with one variable of three dimensions is that variable.
        wavelengths: Replaces the band centres of the file or array: a file (one centre in nm a line, or
            a CSV with a column ``wavelength`` and maybe ``fwhm``; numbers whose median is below 100 are
            micrometres), ``START:STOP`` in nm for evenly spread bands, or ``index`` for bands without a
            physical meaning. Bands that the file or array marks bad stay bad.
        mask: Pixels that count as missing: "auto" (clouds, cirrus, shadows, haze and defects, as far as
            the product flags them), "none", flags with commas between them (``clouds``, ``cirrus``,
            ``shadows``, ``haze``, ``snow``, ``water``, ``quality``), or the path of a mask: a raster whose
            numbers other than 0 are masked, or polygons around what is masked. Of an array it can only be "auto" or
            "none", which change nothing.
        grid: Grid that the file is read on, the nearest pixel for each of its pixels: "UTM" for the UTM
            zone, "native" for the grid or CRS of the product, a code such as "EPSG:32633", or "swath" for
            the rows and columns of the sensor. None leaves an upright grid as it is. A swath is put onto
            the grid of its product or its UTM zone, and a swath too wide for that onto an equal-area
            grid. An array has its own grid, and takes no other.
        straighten: Whether a file with a rotated grid, ground control points or RPCs is put onto an
            upright grid. False leaves a rotated grid, which cannot be mapped, and refuses the others.
        pixel_size: Side of the pixels of that grid in the unit of its CRS (m, or degrees); None takes the size of the
            scene's own pixels. It needs a scene that is put onto a grid.
        dem: Path of a raster of heights in metres, with which a scene with RPCs is placed; None places it at one
            height.
        asset: Key or title of the asset of a STAC item that is the scene; None finds it.
        follow_links: Whether a STAC item may name files on other hosts than its own, and a server may send to
            another one.

    Returns:
        (band, y, x) lazy array of stored values, with coordinates ``wavelength`` and ``fwhm``
        (nm) and ``good`` (bool) along ``band``, in the file's order. ``.rio`` and ``.hsi`` give the
        grid, ``.hsi`` also bands and statistics. ``attrs["source"]`` is the path;
        ``attrs["notes"]`` and ``attrs["warnings"]`` hold remarks on the file, if there are any.

    Raises:
        SceneNotFoundError: If there is no such file.
        SceneError: If it holds no scene, or an array has other axes.
        MissingPackageError: If its format needs a package that is not installed.
        WavelengthError: If it has no wavelengths and none are given.
        OptionError: If ``wavelengths`` is no list of centres or ``mask`` no mask, or if they do not fit the
            scene; or if an array is given a mask, a grid, a pixel size or heights.
    """
    require_flags(straighten=straighten, follow_links=follow_links)
    path = given_scene(path)
    wavelengths, mask, grid = reading_texts(wavelengths, mask, grid)
    if not isinstance(path, xr.DataArray):
        placement = Placement(grid, straighten, pixel_size=pixel_size, dem=dem)
        file = read_scene(path, placement, Links(asset, follow_links))
        return scene_of(with_mask(file, mask), wavelengths=wavelengths)
    _require_no_file_options(name_of(path), mask, grid, pixel_size, dem)
    require_real(path.dtype, name_of(path))
    scene, unsure = along_bands(in_order(path, name_of(path)))
    if unsure:
        scene = scene.assign_attrs(warnings=(*scene.attrs.get("warnings", ()), *unsure))
    if wavelengths is not None:
        return _with_given_wavelengths(scene, wavelengths)
    return _with_checked_bands(scene)


def _require_no_file_options(
    name: str, mask: str, grid: str | None, pixel_size: float | None, dem: str | None
) -> None:
    """Refuse options that hold while a file is read, and would be ignored for an array."""
    given = {
        "mask": mask not in (AUTO, NONE),
        "grid": grid is not None,
        "pixel-size": pixel_size is not None,
        "dem": dem is not None,
    }
    for option, is_given in given.items():
        if is_given:
            raise OptionError(
                f"scene '{name}' is an array, and --{option} is applied when a file is opened",
                hint="give it to open_scene together with the path of the scene",
            )


def reading_texts(
    wavelengths: object, mask: object, grid: object
) -> tuple[str | None, str, str | None]:
    """Options of reading as texts, whether they were given as texts or as paths.

    Args:
        wavelengths: See `open_scene`.
        mask: See `open_scene`.
        grid: See `open_scene`.

    Raises:
        OptionError: If one of them is neither, such as an array.
    """
    numbers = "give START:STOP or a file, or give numbers to scene_from_array"
    crs = "give UTM, native, or a code such as EPSG:32633"
    return (
        None if wavelengths is None else require_text("--wavelengths", wavelengths, numbers),
        require_text("--mask", mask, "give 'auto', 'none', flags, or the path of a mask"),
        None if grid is None else require_text("--grid", grid, crs),
    )


@timings.stage(timings.OPENING)
def open_scenes(
    scenes: SomeScenes,
    *,
    wavelengths: Path_ | None = None,
    mask: Path_ = AUTO,
    grid: str | None = None,
    straighten: bool = True,
    pixel_size: float | None = None,
    dem: str | None = None,
    asset: str | None = None,
    follow_links: bool = False,
) -> list[xr.DataArray]:
    """Open one scene or several.

    Args:
        scenes: One scene or a list of them; see `open_scene`.
        wavelengths: Replaces the band centres of each scene; see `open_scene`.
        mask: Pixels that count as missing; see `open_scene`.
        grid: Grid that each file is read on; see `open_scene`.
        straighten: Whether rotated files are put onto an upright grid; see `open_scene`.
        pixel_size: Side of the pixels of the grid; see `open_scene`.
        dem: Raster of heights; see `open_scene`.
        asset: Asset of a STAC item; see `open_scene`.
        follow_links: Whether items may name files on other hosts; see `open_scene`.

    Raises:
        SceneError: If the list is empty; else see `open_scene`.
    """
    return [
        open_scene(
            scene,
            wavelengths=wavelengths,
            mask=mask,
            grid=grid,
            straighten=straighten,
            pixel_size=pixel_size,
            dem=dem,
            asset=asset,
            follow_links=follow_links,
        )
        for scene in given_scenes(scenes)
    ]


def scene_of(file: SceneFile, *, wavelengths: str | None = None) -> xr.DataArray:
    """The array of a file that a reader has described.

    Args:
        file: From `readers.read_scene`.
        wavelengths: Replaces the band centres of the file; see `open_scene`.

    Raises:
        WavelengthError: If the file has no wavelengths and none are given.
    """
    if wavelengths is not None:
        scene = lazy_array(file, bands_from_option(wavelengths, file.band_count, file.good))
        scene.attrs["wavelength_option"] = wavelengths
        if exists(wavelengths):
            scene.attrs["wavelength_file"] = wavelengths
        return scene
    bands = file.bands
    if bands is None and is_class_map(file):
        raise WavelengthError(
            f"'{file.name}' is a class map, and no scene: it has one band, whose values have names or colours",
            hint="give the scene that it was made from; assess, polygons and zones read a class map",
        )
    if bands is None:
        why = f" ({file.found_warnings[0]})" if file.found_warnings else ""
        raise WavelengthError(
            f"scene '{file.name}' has {file.band_count} band{'s' if file.band_count > 1 else ''} and no wavelengths{why}",
            hint="give them with --wavelengths FILE (one centre in nm a line), "
            "--wavelengths START:STOP (nm, evenly spread) or --wavelengths index",
        )
    return lazy_array(file, bands)


def scene_from_array(
    values: AnyArray,
    centres_nm: Float64Array,
    *,
    fwhm_nm: Float64Array | None = None,
    grid: Grid | None = None,
    nodata: float | None = None,
    name: str = "array",
) -> xr.DataArray:
    """Make a scene of values in memory, with the coordinates and attributes of `open_scene`.

    Args:
        values: (C, H, W) real numbers of any type.
        centres_nm: (C,) band centres in nm, in any order.
        fwhm_nm: (C,) full widths at half maximum in nm; None for the distances between bands.
        grid: Transform and CRS of the pixels. None counts pixels from the upper left corner.
        nodata: Value that means no data; None if no value does.
        name: Name of the scene in messages.

    Returns:
        (band, y, x) array.

    Raises:
        SceneError: If the shapes of values, centres, widths and grid do not match, or one of them is no array of numbers.
        WavelengthError: If the centres are no optical wavelengths.

    Example:
        >>> import numpy as np
        >>> scene = scene_from_array(np.ones((2, 3, 4)), np.array([550.0, 660.0]))
        >>> scene.dims, scene.shape
        (('band', 'y', 'x'), (2, 3, 4))
    """
    if not isinstance(getattr(values, "dtype", None), np.dtype):  # a list, or a tensor
        values = _as_numbers(values, None, f"the values of array '{name}'")
    centres = _as_numbers(centres_nm, np.float64, f"the band centres of array '{name}'")
    if values.ndim != 3 or centres.shape != values.shape[:1]:
        count = f"{len(centres)}" if centres.ndim == 1 else f"{centres.shape}"
        raise SceneError(
            f"array '{name}' has the shape {values.shape} and there are {count} band centres",
            hint="give (bands, rows, columns) and one centre a band",
        )
    widths = None
    if fwhm_nm is not None:
        widths = _as_numbers(fwhm_nm, np.float64, f"the widths of array '{name}'")
        if widths.shape != centres.shape:
            count = f"{len(widths)}" if widths.ndim == 1 else f"{widths.shape}"
            raise SceneError(
                f"array '{name}' has {len(centres)} bands and there are {count} widths",
                hint="give one full width at half maximum a band, or none",
            )
    if grid is not None and values.shape[1:] != (grid.height, grid.width):
        raise SceneError(
            f"array '{name}' has {values.shape[1]} x {values.shape[2]} pixels and the grid {grid.height} x {grid.width} "
            "(rows x columns)",
            hint="give the grid of these pixels",
        )
    require_real(values.dtype, name, "array")
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


def _as_numbers(values: Any, dtype: type[np.float64] | None, what: str) -> AnyArray:
    try:
        return np.asarray(values, dtype)
    except (TypeError, ValueError, RuntimeError) as error:  # of another device, or of unequal rows
        kind = type(values).__name__
        raise SceneError(
            f"{what} are of the type {kind}, which NumPy cannot read", hint="give an array of NumPy"
        ) from error


# Arrays that were made elsewhere --------------------------------------------------------------


def _with_checked_bands(scene: xr.DataArray) -> xr.DataArray:
    """An array from elsewhere, with its bands converted to nm and checked."""
    centres = scene.coords.get("wavelength")
    if centres is None or are_checked(centres) or "band" not in centres.dims:
        return scene
    bands = bands_of(scene)
    checked = _with_bands(scene, bands)
    if bands.warnings:
        checked.attrs["warnings"] = (*bands.warnings, *scene.attrs.get("warnings", ()))
    return checked


def _with_given_wavelengths(scene: xr.DataArray, wavelengths: str) -> xr.DataArray:
    """An array with the band centres that the option gives; warnings on its former ones go."""
    good = np.asarray(scene["good"].values, bool) if "good" in scene.coords else None
    bands = bands_from_option(wavelengths, scene.sizes["band"], good)
    former = f"(from {scene.attrs.get('wavelength_source', '')})"
    kept = [warning for warning in scene.attrs.get("warnings", ()) if former not in warning]
    made = _with_bands(scene, bands)
    made.attrs |= {"wavelength_source": bands.source, "warnings": (*bands.warnings, *kept)}
    if not made.attrs["warnings"]:
        del made.attrs["warnings"]
    made.attrs.pop("wavelength_file", None)
    if exists(wavelengths):
        made.attrs["wavelength_file"] = wavelengths
    return made


def _with_bands(scene: xr.DataArray, bands: Bands) -> xr.DataArray:
    """The array with other coordinates of its bands."""
    made = band_coordinates(bands)
    if "band" in scene.coords:
        del made["band"]
    # Coordinates that are only replaced keep the attributes of the old ones.
    return scene.drop_vars([name for name in made if name in scene.coords]).assign_coords(made)
