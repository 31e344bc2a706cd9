"""The grid of a netCDF or Zarr scene: CF grid mappings, coordinates and attributes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import xarray as xr
from affine import Affine
from pyproj import CRS

from hsi_geo.errors import SceneError
from hsi_geo.io.readers.cf_coordinates import (
    LATITUDE,
    LONGITUDE,
    are_degrees,
    are_lengths,
    find_coordinates,
    measures,
    spacing,
)
from hsi_geo.io.readers.cf_groups import Groups
from hsi_geo.io.readers.cf_mappings import find_mappings
from hsi_geo.io.readers.cf_plane import Plane
from hsi_geo.tiling import Grid

#: (group, name, order of axes) of a variable with one number for each pixel.
Layer = tuple[str, str, str]

#: Warning about a cube whose place nothing tells, though the file has a CRS.
_NOWHERE = (
    "it has a coordinate reference system, and no geotransform and no coordinates along the axes "
    "'{}' and '{}' that can be in it: its place is not known"
)

#: Warning about a CRS in which the coordinates cannot be, such as that of other variables.
_LENGTHS = (
    "its coordinates '{}' and '{}' are lengths, and its coordinate reference system, {}, is in "
    "degrees: its place is not known"
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
    mappings = find_mappings(groups, array, axes, path)
    stored, crs = mappings.geotransform, mappings.crs
    y, x = find_coordinates(groups, array, axes, crs, crs is not None)
    if y is None or x is None or (stored is not None and (stored.b or stored.d)):
        if stored is None and crs is not None:  # of what, the file does not say
            return Grid(*shape, Affine.identity(), None), (_NOWHERE.format(*axes[1:]),)
        transform = Affine.identity() if stored is None else stored
        return Grid(*shape, transform, crs), ()
    if crs is None and are_degrees(y, x):
        crs = CRS.from_epsg(4326)  # CF: latitude and longitude without a grid mapping
    warnings: tuple[str, ...] = ()
    if crs is not None and crs.is_geographic and are_lengths(y, x):
        warnings = (_LENGTHS.format(y.name, x.name, crs.name),)
        crs = None
    (first_y, step_y), (first_x, step_x) = (spacing(c, path, crs) for c in (y, x))
    if crs is not None and crs.is_geographic and min(first_x, first_x + step_x * shape[1]) >= 180:
        first_x -= 360  # longitudes from 0 to 360: shots and maps have -180 to 180
    step_y = step_y or (stored.e if stored else 1.0)
    step_x = step_x or (stored.a if stored else 1.0)
    transform = Affine(step_x, 0, first_x - step_x / 2, 0, step_y, first_y - step_y / 2)
    return Grid(*shape, transform, crs), warnings


def find_map(
    groups: Groups,
    array: xr.DataArray,
    axes: tuple[str, str, str],
    shape: tuple[int, int],
    path: str,
) -> Grid:
    """The map grid of a lookup table; arguments as in `find_grid`, with the shape of the table.

    Raises:
        SceneError: If the file has no geotransform.
    """
    mappings = find_mappings(groups, array, axes, path)
    stored = mappings.geotransform
    if stored is None:
        raise SceneError(
            f"scene '{path}' has a lookup table of {shape[1]} x {shape[0]} pixels and no "
            "geotransform",
            hint="download the file again",
        )
    return Grid(*shape, stored, mappings.crs)


def has_grid(groups: Groups, array: xr.DataArray, axes: tuple[str, str, str], path: str) -> bool:
    """Whether a file states where the rows and columns of its cube lie; arguments as in `find_grid`.

    A geotransform of the whole file may be that of another image.
    """
    mappings = find_mappings(groups, array, axes, path)
    y, x = find_coordinates(groups, array, axes, None, True)
    if y is not None and x is not None:
        # Metres beside the axes say less than the longitude of each pixel if nothing tells their CRS.
        return (y.name, x.name) == axes[1:] or are_degrees(y, x) or mappings.crs is not None
    return mappings.own_geotransform is not None


def find_places(groups: Groups, plane: Plane) -> tuple[Layer, Layer] | None:
    """The longitude and the latitude of each pixel of a swath.

    Args:
        groups: Groups of the file.
        plane: Rows and columns of the swath.

    Returns:
        The longitudes and the latitudes, those with the axes of the swath before others of its size; None if the file
        has none.

    Example:
        >>> import numpy as np
        >>> places = {name: (("x", "y"), np.zeros((3, 2))) for name in ("lon", "lat")}
        >>> find_places({"/": xr.Dataset(places)}, Plane(("y", "x"), (2, 3)))
        (('/', 'lon', 'xy'), ('/', 'lat', 'xy'))
    """
    for by_name in (True, False):
        for group, dataset in groups.items():
            images = {
                str(name): order
                for name, one in dataset.variables.items()
                if _may_be_place(one)
                and (order := plane.order_of(one))
                and (not by_name or plane.names_axes_of(one))
            }
            lon, lat = _longitude_and_latitude(dataset, images)
            if lon and lat:
                return (group, lon, images[lon]), (group, lat, images[lat])
    return None


def unused_places_warning(groups: Groups, plane: Plane) -> tuple[str, ...]:
    """Say that longitudes and latitudes are not those of a scene's pixels; arguments as in `find_places`.

    Returns:
        One sentence; none if the file has no longitude and latitude with two axes.
    """
    for dataset in groups.values():
        images = [
            str(name)
            for name, one in dataset.variables.items()
            if _may_be_place(one) and sum(size > 1 for size in one.shape) > 1
        ]
        lon, lat = _longitude_and_latitude(dataset, images)
        if lon and lat:
            sizes = " x ".join(map(str, dataset[lon].shape))
            warning = (
                f"its '{lon}' and '{lat}' have {sizes} pixels and the scene {plane.shape[0]} x "
                f"{plane.shape[1]}: not used, its place is not known"
            )
            return (warning,)
    return ()


def _longitude_and_latitude(dataset: xr.Dataset, names: Iterable[str]) -> list[str | None]:
    """The first of some variables with longitudes, and with latitudes."""
    return [
        next((name for name in names if measures(name, dataset[name], *what)), None)
        for what in (LONGITUDE, LATITUDE)
    ]


def _may_be_place(array: Any) -> bool:
    """Whether a variable may hold coordinates: real numbers, or packed ones."""
    return array.dtype.kind == "f" or (array.dtype.kind in "iu" and "scale_factor" in array.attrs)
