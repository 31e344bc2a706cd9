"""Coordinates of the rows and columns of a netCDF or Zarr scene.

Source: CF conventions 1.11, chapters 4 and 5.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from pyproj import CRS

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import SceneError
from hsi_geo.io.readers.cf_groups import Groups, holds, nearest_first
from hsi_geo.io.readers.cf_stored import physical_values

#: Coordinates are evenly spaced if none deviates by more than this share of a pixel.
TOLERANCE_PX = 0.05

#: Names of longitudes and latitudes, and their units in CF.
LONGITUDE = (("lon", "longitude"), "degrees_e")
LATITUDE = (("lat", "latitude"), "degrees_n")

#: Units of coordinates, in metres.
_METRES = {
    "km": 1000.0,
    "kilometer": 1000.0,
    "kilometers": 1000.0,
    "kilometre": 1000.0,
    "kilometres": 1000.0,
}

#: Beginning of the units of places in a plane.
_LENGTH = re.compile(r"(m|km|kilomet\w+|met(er|re)s?|ft|feet|foot|us\W?(survey\W)?f\w+)$")

#: Units of the numbers of pixels.
_COUNT_UNITS = ("", "1", "pixel", "pixels", "count", "index")

_Pair = tuple[xr.DataArray | None, xr.DataArray | None]


@dataclass(frozen=True)
class _Axis:
    """How variables say that they are coordinates of one axis.

    Attributes:
        letter: CF's name of the axis.
        degrees: Names and units of places in degrees, for `measures`.
        names: Names of places in a plane.
    """

    letter: str
    degrees: tuple[tuple[str, ...], str]
    names: re.Pattern[str]


def _plane_names(letter: str, direction: str) -> re.Pattern[str]:
    """Pattern of names such as x, xc, x_coord, utm_x, easting, UTM_E."""
    own = rf"{letter}c?|{letter}_?coord\w*|(utm|map|proj\w*)_?{letter}"
    return re.compile(rf"({own}|(utm_?)?{direction}(ing)?s?|utm_?{direction[0]})$", re.IGNORECASE)


_Y = _Axis("Y", LATITUDE, _plane_names("y", "north"))
_X = _Axis("X", LONGITUDE, _plane_names("x", "east"))


def find_coordinates(
    groups: Groups, array: xr.DataArray, axes: tuple[str, str, str], crs: CRS | None, on_earth: bool
) -> _Pair:
    """Coordinates of the y and the x axis of a cube: those named like the axes, else others along them.

    Args:
        groups: Groups of the file.
        array: The cube.
        axes: Path of its group, and the names of its y and x axes.
        crs: The CRS that coordinates must be able to be in; None for any.
        on_earth: Whether coordinates are places on the Earth. Numbers of rows and columns are none.

    Returns:
        The two variables, of one dimension; None for those that a file lacks.
    """
    group, *names = axes
    y, x = (_coordinate(groups, group, name) for name in names)
    are_counts = y is not None and x is not None and _counts(y) and _counts(x)
    if y is not None and x is not None and not are_counts:
        return y, x
    known = (None, None) if are_counts else (y, x)
    ends = list(zip(known, names, (_Y, _X), strict=True))
    for in_degrees in _forms(crs):
        one, other = (
            own if own is not None else _beside(groups, array, (group, name), axis, in_degrees, crs)
            for own, name, axis in ends
        )
        if one is not None and other is not None:
            return one, other
    return known if on_earth else (y, x)


def _forms(crs: CRS | None) -> tuple[bool, ...]:
    """Whether coordinates beside the axes are degrees or places in a plane, the best first."""
    return (False,) if crs is not None and not crs.is_geographic else (True, False)


def _beside(
    groups: Groups,
    array: xr.DataArray,
    place: tuple[str, str],
    axis: _Axis,
    in_degrees: bool,
    crs: CRS | None,
) -> xr.DataArray | None:
    """The variable with the coordinates of an axis that is named otherwise; None if there is none."""
    group, dim = place
    listed = str(array.attrs.get("coordinates") or array.encoding.get("coordinates") or "").split()
    along = [
        one
        for one in _one_axis(groups, group)
        if one.dims == (dim,) and one.size == array.sizes[dim] and one.dtype.kind in "iuf"
    ]
    along = [one for one in along if not _counts(one)]
    along.sort(key=lambda one: one.name not in listed)
    if in_degrees:
        return next((one for one in along if measures(one.name, one, *axis.degrees)), None)
    geographic = crs is not None and crs.is_geographic
    fitting = [one for one in along if _may_be_in_plane(one, geographic)]
    stated = [one for one in fitting if _says_plane(one, axis)]
    named = [one for one in fitting if axis.names.match(str(one.name))]
    # CF: auxiliary coordinates. Another coordinate along the axis, such as the time, is no length.
    others = [one for one in fitting if one.name in listed and _LENGTH.match(_unit(one))]
    return next(iter([*stated, *named, *others]), None)


def _one_axis(groups: Groups, group: str) -> Iterator[xr.DataArray]:
    """Variables of one axis: those of a group, of the groups above, and of others."""
    for other in nearest_first(groups, group):
        for name in groups[other].variables:
            if groups[other].variables[name].ndim == 1:
                yield groups[other][name]


def _may_be_in_plane(coordinate: xr.DataArray, geographic: bool) -> bool:
    """Whether the unit may be that of a CRS: no degrees in a plane, and no lengths beside degrees."""
    unit = _unit(coordinate)
    if geographic:
        return _LENGTH.match(unit) is None
    return not unit.startswith(("degree", "rad"))


def _says_plane(coordinate: xr.DataArray, axis: _Axis) -> bool:
    standard = str(coordinate.attrs.get("standard_name", "")).lower()
    letter = str(coordinate.attrs.get("axis", "")).upper()
    return standard == f"projection_{axis.letter.lower()}_coordinate" or letter == axis.letter


def _unit(coordinate: xr.DataArray) -> str:
    return str(coordinate.attrs.get("units", "")).strip().lower()


def _counts(coordinate: xr.DataArray) -> bool:
    """Whether a coordinate numbers the pixels from 0 or 1."""
    values = physical_values(coordinate)
    is_counted = len(values) > 1 and values[0] in (0, 1) and bool((np.diff(values) == 1).all())
    return is_counted and _unit(coordinate) in _COUNT_UNITS


def _coordinate(groups: Groups, group: str, name: str) -> xr.DataArray | None:
    """The coordinate of an axis, from its group or from one above."""
    for other in sorted(groups, key=len, reverse=True):
        if holds(other, group) and name in groups[other].variables:
            found = groups[other][name]
            return found if found.ndim == 1 and found.dtype.kind in "iuf" else None
    return None


def measures(name: Any, array: Any, names: tuple[str, ...], units: str) -> bool:
    """Whether a variable holds longitudes or latitudes, by its standard name, its unit or its own name.

    Args:
        name: Its name.
        array: The variable.
        names: Names of the wanted ones, as in `LONGITUDE`.
        units: Beginning of their unit in CF.
    """
    standard = str(array.attrs.get("standard_name", "")).lower()
    unit = str(array.attrs.get("units", "")).lower().replace(" ", "_")
    return standard in names or unit.startswith(units) or str(name).lower() in names


def are_degrees(y: xr.DataArray, x: xr.DataArray) -> bool:
    """Whether two coordinates are latitudes and longitudes."""
    return _in_degrees(y, *LATITUDE) and _in_degrees(x, *LONGITUDE)


def are_lengths(y: xr.DataArray, x: xr.DataArray) -> bool:
    """Whether two coordinates have units of length."""
    return all(_LENGTH.match(_unit(one)) is not None for one in (y, x))


def _in_degrees(coordinate: xr.DataArray, names: tuple[str, ...], units: str) -> bool:
    """Whether coordinates are degrees: they say so, or are named so and have no other unit."""
    unit = _unit(coordinate)
    if unit.startswith("degree"):
        return True
    named = measures(coordinate.name, coordinate, names, units)
    if named and unit.startswith("rad"):
        return True  # `spacing` makes degrees of them
    values = physical_values(coordinate)
    return named and "units" not in coordinate.attrs and bool(np.abs(values).max() <= 360.0)


def spacing(coordinate: xr.DataArray, path: str, crs: CRS | None) -> tuple[float, float]:
    """First value and step of a coordinate.

    Args:
        coordinate: A variable of one dimension.
        path: Path of the file, for messages.
        crs: The CRS of the scene.

    Returns:
        (first, step) in the unit of the CRS; a step of 0 for a single value.

    Raises:
        SceneError: If the values are not evenly spaced.
    """
    values: Float64Array = physical_values(coordinate)
    factor = _METRES.get(_unit(coordinate))
    if factor is not None and crs is not None and crs.is_projected:
        values = values * (factor / crs.axis_info[0].unit_conversion_factor)
    if crs is not None and crs.is_geographic and _unit(coordinate).startswith("rad"):
        values = np.degrees(values)
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
