"""Rasters of class ids: each patch of one class as a polygon."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import rasterio.features
import shapely
from affine import Affine
from pyproj import CRS
from rasterio.errors import RasterioError
from rasterio.windows import Window as GdalWindow

from hsi_geo.arrays import AnyArray, BoolArray
from hsi_geo.errors import EmptyShotsError, ShotsError, ShotsNotFoundError
from hsi_geo.io.files.file_names import openable
from hsi_geo.io.files.paths import exists, is_gdal_name
from hsi_geo.io.files.redirects import require_allowed_links
from hsi_geo.io.files.references import is_link, require_local
from hsi_geo.io.labels.class_values import ClassValues, read_class_values
from hsi_geo.io.labels.qgis_styles import find_style
from hsi_geo.io.labels.scene_surroundings import bounds_text, part_around, pixels_in_one
from hsi_geo.io.readers.base import plain, require_real
from hsi_geo.io.readers.gdal import open_raster, quiet_gdal
from hsi_geo.io.readers.masks import is_confidence, only_band
from hsi_geo.text import quoted
from hsi_geo.tiling import Grid

#: Most pixels of a raster that is read as a whole, however small the scene: its classes elsewhere are then known, too.
WHOLE_PX = 1 << 22

#: A field or raster of more different values than this does not hold classes.
MAX_CLASSES = 1000

#: Largest class id, and with a minus the smallest.
_MOST_ID = 2**31 - 1

#: Pixels in one of the scene from which on a raster is finer than it.
_FINER = 2.0

_INTEGER = re.compile(r"-?\d+")

_ONE_BAND = "give one band of class ids, 0 where there is none"


@dataclass(frozen=True, eq=False)
class ClassPatches:
    """Patches of a raster of class ids.

    Attributes:
        geometry: (N,) polygon of each patch, in the CRS of the raster.
        values: (N,) class id of each.
        colors: "#rrggbb" by class id as text, for those that have a colour.
        names: Name by class id as text, for those that have one.
        notes: What was decided while reading, as sentences.
    """

    geometry: gpd.GeoSeries
    values: pd.Series[int]
    colors: Mapping[str, str]
    names: Mapping[str, str]
    notes: tuple[str, ...]


def read_patches(
    name: str,
    opened_as: str,
    labels: str,
    wanted: str,
    raster: str,
    near: Sequence[Grid],
    rejected_of: Callable[[Mapping[int, str]], Mapping[int, str]],
) -> ClassPatches:
    """Read each patch of one class id as a polygon. Whether 0 is a class: see `ClassValues`.

    Args:
        name: Path of the raster as the user gave it.
        opened_as: Name by which GDAL opens it, such as that of the file in an archive.
        labels: What messages call what it holds ("shots").
        wanted: What to give, for hints.
        raster: What messages call the raster that the labels are used on ("scene", "map").
        near: Grids around which a raster of more than `WHOLE_PX` pixels is read; none for all of it.
        rejected_of: Function from the names of the raster's classes to those of the rejected ones, by value. Pixels of
            these are left out.

    Raises:
        ShotsNotFoundError: If there is no such file.
        ShotsError: If it is no raster of class ids.
        EmptyShotsError: If it has no class id, or meets none of the grids.
    """
    if not exists(opened_as) and not is_gdal_name(opened_as):
        raise ShotsNotFoundError(
            f"{labels} file '{name}' does not exist", hint="check the path and its spelling"
        )
    require_local(opened_as, f"{labels} file", ShotsError)
    if is_link(opened_as):
        require_allowed_links(opened_as, wrong=ShotsError)
    try:
        with quiet_gdal(opened_as), openable(opened_as) as opened, open_raster(opened) as file:
            band = _read_band(file, name, labels, raster, near)
    except RasterioError as error:
        raise ShotsError(
            f"{labels} '{name}' are no raster that GDAL can open ({plain(error)})",
            hint="give a GeoTIFF of class ids, or a GeoPackage",
        ) from error
    style = find_style(name, None)
    metadata = band.metadata.with_names(
        {int(v): label for v, label in style.labels.items() if _INTEGER.fullmatch(v)}
    )
    ids, labelled = band.ids, band.labelled
    if metadata.nodata is not None:
        labelled &= ids != metadata.nodata
    if not metadata.zero_is_class:
        labelled &= ids != 0
    rejected = rejected_of(metadata.names)
    left_out = labelled & np.isin(ids, list(rejected))
    labelled &= ~left_out
    values = np.unique(ids[labelled])
    whole = values.size == 0 or (values == np.round(values)).all()
    # The smallest integer of a type, as which NumPy stores NaN, has no absolute value in it.
    far = values.size and max(-float(values[0]), float(values[-1])) > _MOST_ID
    if not whole or values.size > MAX_CLASSES or far:
        raise ShotsError(
            f"{labels} '{name}' are a raster of {values.size} different values "
            f"from {values[0]:g} to {values[-1]:g}",
            hint=_ONE_BAND,
        )
    if left_out.any() and not values.size:
        raise EmptyShotsError(
            f"{labels} '{name}' are a map that rejected each of its pixels ({_named(rejected, ids[left_out])})",
            hint=f"give {wanted}",
        )
    if not values.size:
        where = f" around the {raster}" if band.is_part else ""
        raise EmptyShotsError(
            f"{labels} '{name}' are a raster without a class id{where}", hint=f"give {wanted}"
        )
    patches = list(
        rasterio.features.shapes(
            np.where(labelled, ids, 0).astype(np.int32), mask=labelled, transform=band.transform
        )
    )
    notes = [*band.notes, f"class ids taken from a raster, {int(labelled.sum())} pixels"]
    if left_out.any():
        notes.append(
            f"{int(left_out.sum())} pixels that the map rejected are left out "
            f"({_named(rejected, ids[left_out])})"
        )
    if (ids[labelled] == 0).any():
        notes.append(f"0 is one of its classes: {metadata.zero_reason}")
    return ClassPatches(
        gpd.GeoSeries([shapely.geometry.shape(shape) for shape, _ in patches], crs=band.crs),
        pd.Series([int(value) for _, value in patches]),
        style.colors or band.colors,  # a style for continuous values has none
        {str(value): label for value, label in metadata.names.items()},
        tuple(notes),
    )


def _named(rejected: Mapping[int, str], values: AnyArray) -> str:
    """Names of the rejected classes that some pixels have."""
    return quoted([name for value, name in rejected.items() if (values == value).any()])


@dataclass(frozen=True, eq=False)
class _Band:
    """The class ids of a raster or of a part of it, and what the file tells of them.

    Attributes:
        ids: (height, width) class ids.
        labelled: (height, width) False where there is no data.
        transform: Affine from (column, row) to coordinates.
        crs: Coordinate reference system, None if the file has none.
        colors: "#rrggbb" by class id as text.
        metadata: Nodata value and names.
        notes: What was left out or decided, as sentences.
        is_part: Whether a part of the raster was left out.
    """

    ids: AnyArray
    labelled: BoolArray
    transform: Affine
    crs: CRS | None
    colors: dict[str, str]
    metadata: ClassValues
    notes: tuple[str, ...]
    is_part: bool


def _read_band(
    file: rasterio.DatasetReader, name: str, labels: str, raster: str, near: Sequence[Grid]
) -> _Band:
    classes = only_band(file)
    if classes is None:
        raise ShotsError(f"{labels} '{name}' are a raster of {file.count} bands", hint=_ONE_BAND)
    if is_confidence(file):
        raise ShotsError(
            f"{labels} '{name}' are the confidence of a map, in per cent",
            hint="give a raster of class ids",
        )
    number, mask = classes
    require_real(file.dtypes[number - 1], name, labels, ShotsError)
    crs = None if file.crs is None else CRS.from_wkt(file.crs.to_wkt())
    whole = Grid(file.height, file.width, file.transform, crs)
    part = whole.window if file.height * file.width <= WHOLE_PX else part_around(whole, near)
    if not (part.height and part.width):
        raise EmptyShotsError(
            f"{labels} '{name}' lie outside the {raster}: they cover {bounds_text(whole.bounds)} in their own CRS",
            hint="check the coordinate reference systems of both",
        )
    is_part = part != whole.window
    notes = []
    if is_part:
        notes.append(
            f"only the part of '{name}' around the {raster} was read: {part.width} x {part.height} of its "
            f"{file.width} x {file.height} pixels"
        )
    if pixels_in_one(whole, near) >= _FINER:
        notes.append(
            f"pixels of '{name}' are smaller than those of the {raster}: each of these takes the class at its centre, "
            "not the commonest; where no class is there, it takes that of a patch inside of it"
        )
    window = GdalWindow(part.col, part.row, part.width, part.height)
    ids = file.read(number, window=window)
    labelled = np.isfinite(ids)
    if mask is not None:
        labelled &= mask.valid(file, [number], window)[0]
    return _Band(
        ids,
        labelled,
        whole.transform_of(part),
        crs,
        _color_table(file),
        read_class_values(file),
        tuple(notes),
        is_part,
    )


def _color_table(file: rasterio.DatasetReader) -> dict[str, str]:
    """Colours by value; empty if the raster has no colour table."""
    try:
        table = file.colormap(1)
    except ValueError:
        return {}
    return {str(i): "#" + bytes(rgba[:3]).hex() for i, rgba in table.items() if rgba[3]}
