"""Putting scenes onto upright grids while they are read: swaths, rotated lines, and grids in another CRS."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from rasterio.errors import RasterioError

from hsi_geo.arguments import is_number
from hsi_geo.arrays import Float64Array
from hsi_geo.errors import OptionError, SceneError
from hsi_geo.io.files.paths import exists
from hsi_geo.io.files.references import require_local
from hsi_geo.io.readers.base import Geolocation, PlacedGrid, SceneFile, plain
from hsi_geo.io.readers.crs_choice import NATIVE, SWATH, UTM, parse_grid_option
from hsi_geo.io.readers.gdal import open_raster, quiet_gdal
from hsi_geo.io.readers.glt import GltBandFlags, GltFlags, GltPixels
from hsi_geo.io.readers.image_models import AffineModel, ModelledImage, RationalPolynomials
from hsi_geo.io.readers.masks import fits
from hsi_geo.tiling import Grid

#: What the record of a map in the rows and columns of a sensor says.
NO_AREAS = "pixels of a sensor have no common size and no outline on a map: hectares and polygons need a map grid"

#: Rows that are read at once of a scene that states no blocks.
BLOCK_ROWS = 64


@dataclass(frozen=True, slots=True)
class Placement:
    """The grid that scenes are read on.

    Attributes:
        grid: "UTM" for the UTM zone of the scene, "native" for the grid or the CRS of the product, a code such as
            "EPSG:32633", or "swath" for the rows and columns of the sensor. None leaves upright grids as they are,
            and takes the grid that fits best for other scenes.
        straighten: Whether scenes with a rotated grid, ground control points or RPCs are put onto an upright grid.
            False refuses them.
        keep_rotated: Whether a rotated grid stays as it is, for programs that read it.
        pixel_size: Side of the pixels of the grid in the unit of its CRS; None takes that of the scene.
        dem: Path of a raster of heights in metres, for scenes with RPCs; None places these at one height.
    """

    grid: str | None = None
    straighten: bool = True
    keep_rotated: bool = False
    pixel_size: float | None = None
    dem: str | None = None

    def __post_init__(self) -> None:
        """Check the grid.

        Raises:
            OptionError: If it is not known, or the pixel size or the terrain model is of no use.
        """
        size = self.pixel_size
        if size is not None and not (is_number(size) and 0 < size < np.inf):
            raise OptionError(f"--pixel-size is {size}", hint="give a number above 0, such as 30")
        object.__setattr__(self, "grid", parse_grid_option(self.grid))


def place(file: SceneFile, placement: Placement) -> SceneFile:
    """A scene on the grid that the user asks for; only its description is made.

    Args:
        file: From a reader.
        placement: The grid.

    Returns:
        The same file if it lies on such a grid; else one whose pixels are looked up in it, the nearest for each
        pixel of the grid.

    Raises:
        SceneError: If the scene has no place on a map.
        OptionError: If it does not fit into the grid.
    """
    wanted = placement.grid
    if placement.dem is not None:
        file = _with_terrain(file, placement.dem)
    if wanted == SWATH:
        if placement.pixel_size is not None:
            raise OptionError(
                "--swath and --pixel-size were both given, and pixels of the sensor have their own size",
                hint="give one of them",
            )
        return _in_sensor_geometry(file)
    if file.grid.is_rotated and (placement.keep_rotated or not placement.straighten):
        return file  # `require_upright` refuses it where it matters
    geolocation = file.geolocation or _geolocation_of(file, placement)
    if geolocation is None:
        if placement.pixel_size is not None:
            raise OptionError(
                f"scene '{file.name}' is read on its own grid, whose pixels have a size",
                hint="leave --pixel-size out, or give a --grid in another CRS",
            )
        return file
    if isinstance(file.geolocation, ModelledImage) and not placement.straighten:
        raise _not_straightened(file, file.geolocation)
    placed = geolocation.on_grid(file.grid.shape, wanted, file.name, placement.pixel_size)
    return _on_grid(file, placed, placement)


def _geolocation_of(file: SceneFile, placement: Placement) -> Geolocation | None:
    """Where the pixels of a grid lie, if they have to be put onto another grid."""
    grid, wanted = file.grid, placement.grid
    if grid.is_rotated:
        return _rotated(grid)
    if wanted in (None, NATIVE):
        return None
    if grid.crs is not None:
        if wanted == UTM and grid.crs.utm_zone is not None:
            return None
        if wanted != UTM and grid.crs.equals(wanted):
            return None
    named = "no CRS" if grid.crs is None else grid.crs.name
    return ModelledImage(AffineModel(grid), f"its grid is in {named}")


def _in_sensor_geometry(file: SceneFile) -> SceneFile:
    """The scene in the rows and columns of the sensor; its grid knows where they lie."""
    geolocation = file.geolocation
    if geolocation is None and file.grid.is_rotated:
        geolocation = _rotated(file.grid)
    if geolocation is None:
        raise OptionError(
            f"scene '{file.name}' lies on an upright grid, and holds no image in the rows and columns of the sensor",
            hint="leave --swath out",
        )
    height, width = file.grid.shape
    frame = geolocation.frame(file.grid.shape, file.name)
    grid = Grid(height, width, Affine.identity(), None, frame)
    note = (
        "it is read in the rows and columns of the sensor, and labels are placed by its coordinates"
    )
    placed = _provenance(file, SWATH, "none") | {"remark": NO_AREAS}
    return replace(file, grid=grid, geolocation=None, placed=placed, notes=(*file.notes, note))


def _provenance(file: SceneFile, wanted: str | None, resampling: str) -> dict[str, Any]:
    """What records say of the image and of the grid that it was put onto."""
    return {
        "option": wanted,
        "resampling": resampling,
        "image_height": file.grid.height,
        "image_width": file.grid.width,
    }


def _given(placement: Placement) -> dict[str, Any]:
    """What records say of the options that change a grid, where they were given."""
    options = {"pixel_size": placement.pixel_size, "dem": placement.dem}
    return {name: value for name, value in options.items() if value is not None}


def _with_terrain(file: SceneFile, dem: str) -> SceneFile:
    """A scene whose RPCs are used with a terrain model."""
    image = file.geolocation
    if not isinstance(image, ModelledImage) or not isinstance(image.model, RationalPolynomials):
        raise OptionError(
            f"scene '{file.name}' has no RPCs, and only they need a terrain model",
            hint="leave --dem out",
        )
    require_local(dem, "terrain model", OptionError)
    try:
        with quiet_gdal(dem), open_raster(dem) as source:
            known = source.crs is not None
    except RasterioError as error:
        raise OptionError(
            f"terrain model '{dem}' is no raster that GDAL can open ({plain(error)})",
            hint="give a raster of heights in metres",
        ) from error
    if not known:
        raise OptionError(
            f"terrain model '{dem}' has no coordinate reference system",
            hint="assign one with gdal_edit.py -a_srs",
        )
    path = str(Path(dem).absolute()) if exists(dem) else dem
    terrain = ModelledImage(
        RationalPolynomials(image.model.rpc, path), f"{image.what}, and a terrain model"
    )
    return replace(file, geolocation=terrain)


def _rotated(grid: Grid) -> ModelledImage:
    degrees = grid.rotation_degrees
    degrees -= 180.0 if degrees > 90.0 else 0.0  # the smaller angle, in the other direction
    shown = f"{degrees:.1f}" if abs(degrees) >= 0.05 else f"{degrees:.2g}"
    return ModelledImage(AffineModel(grid), f"its grid is rotated by {shown} degrees")


def _not_straightened(file: SceneFile, image: ModelledImage) -> SceneError:
    option = "-rpc " if "RPC" in image.what else ""
    return SceneError(
        f"scene '{file.name}' is on no upright grid: {image.what}",
        hint=f"leave --no-straighten out, or put it onto one with: gdalwarp {option}-r near "
        f"{shlex.quote(file.name)} grid.tif",
    )


def _on_grid(file: SceneFile, placed: PlacedGrid, placement: Placement) -> SceneFile:
    fill, nodata = _fill_of(file)
    rows = file.block_px[0] if file.block_px else BLOCK_ROWS
    pixels = GltPixels(
        swath=file.pixels,
        swath_shape=file.grid.shape,
        lookup=placed.lookup,
        fill=fill,
        dtype=file.dtype,
        rows_at_once=rows,
    )
    quality = tuple(
        replace(
            layer,
            flags=GltFlags(layer.flags, file.grid.shape, placed.lookup),
            by_band=None
            if layer.by_band is None
            else GltBandFlags(layer.by_band, file.grid.shape, placed.lookup),
        )
        for layer in file.quality
    )
    return replace(
        file,
        grid=placed.grid,
        geolocation=None,
        placed=_provenance(file, placement.grid, "nearest") | _given(placement),
        pixels=pixels,
        nodata=nodata,
        quality=quality,
        block_px=(rows, placed.grid.width),  # rows of the grid cross those of the image
        notes=(*file.notes, *((placed.note,) if placed.note else ())),
        warnings=(*file.warnings, *((placed.warning,) if placed.warning else ())),
    )


def _fill_of(file: SceneFile) -> tuple[Float64Array, Float64Array]:
    """Stored value of grid pixels that show no pixel of the file, and the file's nodata values with it, by band."""
    declared = file.nodata
    missing = ~fits(declared, file.dtype)
    if not missing.any():
        return declared, declared
    if not missing.all():
        value = declared[~missing][0]
        both = np.where(missing, value, declared)
        return both, both
    # 0 in all bands counts as missing where no value is declared, and NaN always does.
    value = np.nan if np.issubdtype(file.dtype, np.floating) else 0.0
    return np.full(len(declared), value), declared
