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

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import SceneError
from hsi_geo.io.readers.base import plain
from hsi_geo.io.readers.cf_groups import Groups
from hsi_geo.io.readers.crs import parse_crs
from hsi_geo.tiling import Grid

#: Coordinates are evenly spaced if none deviates by more than this share of a pixel.
TOLERANCE_PX = 0.05


#: Names of longitudes and latitudes, and their units in CF.
_LONGITUDE = (("lon", "longitude"), "degrees_e")
_LATITUDE = (("lat", "latitude"), "degrees_n")

#: Attributes with a CRS that programs write where they follow no convention.
_OTHER_KEYS = ("crs", "epsg", "epsg_code", "proj:epsg", "proj4", "projection")

#: Beginning of a code or a description of a CRS.
_WHOLE_CRS = re.compile(
    r"(epsg:\d|\+proj=|\+init=|proj(cs|crs)\[|geog(cs|crs)\[|geodcrs\[)", re.IGNORECASE
)

#: Units of coordinates, in metres.
_METRES = {
    "km": 1000.0,
    "kilometer": 1000.0,
    "kilometers": 1000.0,
    "kilometre": 1000.0,
    "kilometres": 1000.0,
}


def find_grid(
    groups: Groups,
    array: xr.DataArray,
    axes: tuple[str, str, str],
    shape: tuple[int, int],
    path: str,
) -> Grid:
    """The grid of a cube whose rows and columns are those of the map.

    Args:
        groups: Groups of the file.
        array: The cube.
        axes: Path of its group, and the names of its y and x axes.
        shape: (rows, columns) of the cube.
        path: Path of the file, for messages.

    Returns:
        The grid, without a CRS if the file has none.

    Raises:
        SceneError: If coordinates are not evenly spaced, or the CRS is unknown.
    """
    group, *names = axes
    mappings = list(_mappings(groups, array))
    stored = next((found for m in mappings if (found := _geotransform(m)) is not None), None)
    crs = _crs(mappings, path)
    y, x = _coordinates(groups, group, names, crs is not None)
    if y is None and x is None and stored is None:
        crs = None  # of what, the file does not say
    if y is None or x is None or (stored is not None and (stored.b or stored.d)):
        transform = Affine.identity() if stored is None else stored
        return Grid(*shape, transform, crs)
    if crs is None and _in_degrees(y, *_LATITUDE) and _in_degrees(x, *_LONGITUDE):
        crs = CRS.from_epsg(4326)  # CF: latitude and longitude without a grid mapping
    (first_y, step_y), (first_x, step_x) = (_spacing(c, path, crs) for c in (y, x))
    if crs is not None and crs.is_geographic and min(first_x, first_x + step_x * shape[1]) >= 180:
        first_x -= 360  # longitudes from 0 to 360: shots and maps have -180 to 180
    step_y = step_y or (stored.e if stored else 1.0)
    step_x = step_x or (stored.a if stored else 1.0)
    transform = Affine(step_x, 0, first_x - step_x / 2, 0, step_y, first_y - step_y / 2)
    return Grid(*shape, transform, crs)


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


def has_grid(groups: Groups, array: xr.DataArray, axes: tuple[str, str, str]) -> bool:
    """Whether a file states where the rows and columns of its cube lie; arguments as in `find_grid`.

    A geotransform of the whole file may be that of another image.
    """
    group, *names = axes
    listed = None not in _coordinates(groups, group, names, True)
    own = [dict(one) for one in list(_mappings(groups, array))[: _grid_mapping(array) != ""]]
    return listed or any(_geotransform(mapping) is not None for mapping in own)


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
            next((str(name) for name in images if _measures(name, dataset[name], *what)), None)
            for what in (_LONGITUDE, _LATITUDE)
        ]
        if found[0] and found[1]:
            return (group, found[0]), (group, found[1])
    return None


def _may_be_place(array: Any, shape: tuple[int, int]) -> bool:
    """Whether a variable may hold coordinates: real numbers, or packed ones."""
    is_packed = array.dtype.kind in "iu" and "scale_factor" in array.attrs
    return tuple(array.shape) == shape and (array.dtype.kind == "f" or is_packed)


def _measures(name: Any, array: xr.DataArray, names: tuple[str, ...], units: str) -> bool:
    """Whether a variable holds longitudes or latitudes, by its standard name, its unit or its own name."""
    standard = str(array.attrs.get("standard_name", "")).lower()
    unit = str(array.attrs.get("units", "")).lower().replace(" ", "_")
    return standard in names or unit.startswith(units) or str(name).lower() in names


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


def _coordinates(
    groups: Groups, group: str, names: Sequence[str], on_earth: bool
) -> tuple[xr.DataArray | None, xr.DataArray | None]:
    """Coordinates of the y and the x axis; None for those that a file lacks.

    Args:
        groups: Groups of the file.
        group: Path of the group of the cube.
        names: Names of its y and x axes.
        on_earth: Whether coordinates are places on the Earth. Numbers of rows and columns are none.
    """
    y, x = (_coordinate(groups, group, name) for name in names)
    if on_earth and y is not None and x is not None and _counts(y) and _counts(x):
        return None, None
    return y, x


def _counts(coordinate: xr.DataArray) -> bool:
    """Whether a coordinate numbers the pixels from 0 or 1."""
    values = np.asarray(coordinate.values, np.float64)
    is_counted = len(values) > 1 and values[0] in (0, 1) and bool((np.diff(values) == 1).all())
    unit = str(coordinate.attrs.get("units", "")).strip().lower()
    return is_counted and unit in ("", "1", "pixel", "pixels", "count", "index")


def _coordinate(groups: Groups, group: str, name: str) -> xr.DataArray | None:
    """The coordinate of an axis, from its group or from one above."""
    for other in sorted(groups, key=len, reverse=True):
        above = other == "/" or group == other or group.startswith(other.rstrip("/") + "/")
        if above and name in groups[other].variables:
            found = groups[other][name]
            return found if found.ndim == 1 and found.dtype.kind in "iuf" else None
    return None


def _in_degrees(coordinate: xr.DataArray, names: tuple[str, ...], units: str) -> bool:
    """Whether coordinates are degrees: they say so, or are named so and have no other unit."""
    if str(coordinate.attrs.get("units", "")).lower().startswith("degree"):
        return True
    values = np.asarray(coordinate.values, np.float64)
    named = _measures(coordinate.name, coordinate, names, units)
    return named and "units" not in coordinate.attrs and bool(np.abs(values).max() <= 360.0)


def _spacing(coordinate: xr.DataArray, path: str, crs: CRS | None) -> tuple[float, float]:
    """(first, step) of evenly spaced coordinates in the unit of a CRS; a step of 0 for a single one."""
    values: Float64Array = np.asarray(coordinate.values, np.float64)
    factor = _METRES.get(str(coordinate.attrs.get("units", "")).strip().lower())
    if factor is not None and crs is not None and crs.is_projected:
        values = values * (factor / crs.axis_info[0].unit_conversion_factor)
    step = float(values[-1] - values[0]) / max(1, len(values) - 1)
    even = values[0] + step * np.arange(len(values))
    is_single = len(values) == 1
    regular = step and np.abs(values - even).max() <= TOLERANCE_PX * abs(step)
    if np.isfinite(values).all() and (is_single or regular):
        return float(values[0]), step
    raise SceneError(
        f"scene '{path}' has coordinates '{coordinate.name}' that are not evenly spaced",
        hint="warp it to a regular grid first, for example with gdalwarp",
    )
