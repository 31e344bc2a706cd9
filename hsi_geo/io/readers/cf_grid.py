"""The grid of a netCDF or Zarr scene: CF grid mappings, coordinates and attributes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from pyproj import CRS
from pyproj.exceptions import CRSError

from hsi_geo.errors import SceneError
from hsi_geo.io.readers.base import plain
from hsi_geo.io.readers.cf_coordinates import (
    LATITUDE,
    LONGITUDE,
    are_degrees,
    find_coordinates,
    measures,
    spacing,
)
from hsi_geo.io.readers.cf_groups import Groups
from hsi_geo.io.readers.crs import parse_crs
from hsi_geo.tiling import Grid

#: Attributes with a CRS that programs write where they follow no convention.
_OTHER_KEYS = ("crs", "epsg", "epsg_code", "proj:epsg", "proj4", "projection")

#: Beginning of a code or a description of a CRS.
_WHOLE_CRS = re.compile(
    r"(epsg:\d|\+proj=|\+init=|proj(cs|crs)\[|geog(cs|crs)\[|geodcrs\[)", re.IGNORECASE
)

#: Warning about a cube whose place nothing tells, though the file has a CRS.
_NOWHERE = (
    "it has a coordinate reference system, and no geotransform and no coordinates along the axes "
    "'{}' and '{}' that can be in it: its place is not known"
)


def find_grid(
    groups: Groups,
    array: xr.DataArray,
    axes: tuple[str, str, str],
    shape: tuple[int, int],
    path: str,
) -> tuple[Grid, tuple[str, ...]]:
    """The grid of a cube whose rows and columns are those of the map.

    Args:
        groups: Groups of the file.
        array: The cube.
        axes: Path of its group, and the names of its y and x axes.
        shape: (rows, columns) of the cube.
        path: Path of the file, for messages.

    Returns:
        grid: The grid, without a CRS if the file has none, or does not say where the pixels lie in it.
        warnings: One sentence if it does not say that.

    Raises:
        SceneError: If coordinates are not evenly spaced, or the CRS is unknown.
    """
    mappings = list(_mappings(groups, array))
    stored = next((found for m in mappings if (found := _geotransform(m)) is not None), None)
    crs = _crs(mappings, path)
    y, x = find_coordinates(groups, array, axes, crs, crs is not None)
    if y is None or x is None or (stored is not None and (stored.b or stored.d)):
        if stored is None and crs is not None:  # of what, the file does not say
            return Grid(*shape, Affine.identity(), None), (_NOWHERE.format(*axes[1:]),)
        transform = Affine.identity() if stored is None else stored
        return Grid(*shape, transform, crs), ()
    if crs is None and are_degrees(y, x):
        crs = CRS.from_epsg(4326)  # CF: latitude and longitude without a grid mapping
    (first_y, step_y), (first_x, step_x) = (spacing(c, path, crs) for c in (y, x))
    if crs is not None and crs.is_geographic and min(first_x, first_x + step_x * shape[1]) >= 180:
        first_x -= 360  # longitudes from 0 to 360: shots and maps have -180 to 180
    step_y = step_y or (stored.e if stored else 1.0)
    step_x = step_x or (stored.a if stored else 1.0)
    transform = Affine(step_x, 0, first_x - step_x / 2, 0, step_y, first_y - step_y / 2)
    return Grid(*shape, transform, crs), ()


def find_map(groups: Groups, array: xr.DataArray, shape: tuple[int, int], path: str) -> Grid:
    """The map grid of a lookup table; arguments as in `find_grid`.

    Raises:
        SceneError: If the file has no geotransform.
    """
    mappings = list(_mappings(groups, array))
    stored = next((found for m in mappings if (found := _geotransform(m)) is not None), None)
    if stored is None:
        raise SceneError(
            f"scene '{path}' has a lookup table of {shape[1]} x {shape[0]} pixels and no "
            "geotransform",
            hint="download the file again",
        )
    return Grid(*shape, stored, _crs(mappings, path))


def has_grid(groups: Groups, array: xr.DataArray, axes: tuple[str, str, str], path: str) -> bool:
    """Whether a file states where the rows and columns of its cube lie; arguments as in `find_grid`.

    A geotransform of the whole file may be that of another image.
    """
    mappings = list(_mappings(groups, array))
    y, x = find_coordinates(groups, array, axes, None, True)
    if y is not None and x is not None:
        # Metres beside the axes say less than the longitude of each pixel if nothing tells their CRS.
        return (y.name, x.name) == axes[1:] or are_degrees(y, x) or _crs(mappings, path) is not None
    own = [dict(one) for one in mappings[: _grid_mapping(array) != ""]]
    return any(_geotransform(mapping) is not None for mapping in own)


def find_places(
    groups: Groups, shape: tuple[int, int]
) -> tuple[tuple[str, str], tuple[str, str]] | None:
    """The longitude and the latitude of each pixel of a swath.

    Args:
        groups: Groups of the file.
        shape: (rows, columns) of the swath.

    Returns:
        (group, name) of the longitudes, and of the latitudes; None if the file has none.

    Example:
        >>> places = {name: (("y", "x"), np.zeros((2, 3))) for name in ("lon", "lat")}
        >>> find_places({"/": xr.Dataset(places)}, (2, 3))
        (('/', 'lon'), ('/', 'lat'))
    """
    for group, dataset in groups.items():
        images = [name for name, one in dataset.variables.items() if _may_be_place(one, shape)]
        found = [
            next((str(name) for name in images if measures(name, dataset[name], *what)), None)
            for what in (LONGITUDE, LATITUDE)
        ]
        if found[0] and found[1]:
            return (group, found[0]), (group, found[1])
    return None


def _may_be_place(array: Any, shape: tuple[int, int]) -> bool:
    """Whether a variable may hold coordinates: real numbers, or packed ones."""
    is_packed = array.dtype.kind in "iu" and "scale_factor" in array.attrs
    return tuple(array.shape) == shape and (array.dtype.kind == "f" or is_packed)


def _grid_mapping(array: xr.DataArray) -> str:
    """Name of the variable with the CRS of an array; empty if it names none."""
    return str(array.attrs.get("grid_mapping") or array.encoding.get("grid_mapping") or "")


def _mappings(groups: Groups, array: xr.DataArray) -> Iterator[Mapping[str, Any]]:
    """Attributes that may describe the grid; those of the cube's own grid mapping come first."""
    named = _grid_mapping(array)
    scalars = [
        (name, dataset[name].attrs)
        for dataset in groups.values()
        for name in dataset.variables
        if dataset[name].ndim == 0 or dataset[name].size == 1
    ]
    yield from (attributes for name, attributes in scalars if name == named)
    yield from (attributes for name, attributes in scalars if name != named)
    yield from (dataset.attrs for dataset in groups.values())


def _geotransform(attributes: Mapping[str, Any]) -> Affine | None:
    """GDAL's six numbers, as text or as a list."""
    for key in ("GeoTransform", "geotransform"):
        value = attributes.get(key)
        if value is None:
            continue
        words = value.replace(",", " ").split() if isinstance(value, str) else np.ravel(value)
        try:
            numbers = [float(word) for word in words]
        except ValueError:
            continue
        if len(numbers) == 6 and np.isfinite(numbers).all() and numbers[1] and numbers[5]:
            return Affine.from_gdal(*numbers)
    return None


def _crs(mappings: Sequence[Mapping[str, Any]], path: str) -> CRS | None:
    for attributes in mappings:
        for key in ("crs_wkt", "spatial_ref"):
            if attributes.get(key):
                return parse_crs(str(attributes[key]), path)
    for attributes in mappings:
        if "grid_mapping_name" in attributes:
            try:
                return CRS.from_cf(dict(attributes))
            except (CRSError, KeyError, ValueError) as error:
                raise SceneError(
                    f"scene '{path}' has a grid mapping that PROJ does not know ({plain(error)})",
                    hint="write crs_wkt beside it, or convert the scene to GeoTIFF",
                ) from error
    for attributes in mappings:
        for key in _OTHER_KEYS:
            if (crs := _stated(key, attributes.get(key))) is not None:
                return crs
    return None


def _stated(key: str, value: Any) -> CRS | None:
    """The CRS that an attribute names by its code or as a whole; None for others, such as a datum."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.ravel()[0]
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    text = text.strip()
    if "epsg" in key and re.fullmatch(r"\d{4,6}(\.0)?", text):
        text = f"EPSG:{int(float(text))}"
    if not _WHOLE_CRS.match(text):
        return None
    try:
        return CRS.from_user_input(text)
    except CRSError:
        return None
