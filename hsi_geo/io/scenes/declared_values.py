"""What an array declares of its stored values: which mean no data, and the scale and offset of the others.

A number for all bands is an attribute, as other software expects. Numbers that differ from band to band are a coordinate
along ``band``, so that they follow each selection of bands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from hsi_geo.arrays import Float64Array, IntArray
from hsi_geo.errors import SceneError

#: Coordinates along the bands, and the attributes that hold the same. rioxarray reads nodata values in this order, and
#: writes the others for bands that differ.
SCALE, OFFSET, NODATA = "scale_factor", "add_offset", "nodata"
_KEYS = {
    SCALE: ("scale_factor", "scales"),
    OFFSET: ("add_offset", "offsets"),
    NODATA: ("_FillValue", "missing_value", "fill_value", "nodata", "nodatavals"),
}


def declare(scene: xr.DataArray, name: str, values: Any) -> xr.DataArray:
    """The array with other numbers declared.

    Args:
        scene: (band, y, x) array.
        name: `SCALE`, `OFFSET` or `NODATA`.
        values: One number, or (C,) numbers. NaN is no nodata value.
    """
    attrs, coords = attrs_and_coords({name: np.asarray(values, np.float64)})
    return without(scene, name).assign_coords(coords).assign_attrs(attrs)


def attrs_and_coords(
    numbers: Mapping[str, Float64Array],
) -> tuple[dict[str, float], dict[str, tuple[str, Float64Array]]]:
    """Attributes and coordinates that declare numbers.

    Args:
        numbers: One number or (C,) numbers by `SCALE`, `OFFSET` and `NODATA`.

    Example:
        >>> attrs_and_coords({SCALE: np.array([2.0, 2.0]), OFFSET: np.array([0.0, 1.0])})
        ({'scale_factor': 2.0}, {'add_offset': ('band', array([0., 1.]))})
    """
    attrs, coords = {}, {}
    for name, values in numbers.items():
        distinct = np.unique(values)  # NaN counts once
        if len(distinct) > 1:
            coords[name] = ("band", values)
        elif not np.isnan(distinct[0]):
            attrs[_KEYS[name][0]] = float(distinct[0])
    return attrs, coords


def without(scene: xr.DataArray, *names: str) -> xr.DataArray:
    """The array without what is declared.

    Args:
        scene: (band, y, x) array.
        names: `SCALE`, `OFFSET` and `NODATA`, or some of them.
    """
    scene = scene.drop_vars([name for name in names if name in scene.coords]).copy(deep=False)
    for key in (key for name in names for key in _KEYS[name]):
        scene.attrs.pop(key, None)
    if NODATA in names:
        scene.encoding.pop("_FillValue", None)
    return scene


def along_bands(scene: xr.DataArray) -> tuple[xr.DataArray, tuple[str, ...]]:
    """The array with lists of its attributes as coordinates along ``band``.

    It is called before bands get numbers: a list is for the bands of the file, and the numbers in the file tell which of
    them an array still has.

    Args:
        scene: (band, y, x) array.

    Returns:
        The array, and a sentence for each list whose order is not sure.

    Raises:
        SceneError: If a list does not fit the bands.
    """
    unsure = []
    for name in (SCALE, OFFSET, NODATA):
        key = next((key for key in _KEYS[name] if len(_numbers(scene.attrs.get(key)))), None)
        values = declared(scene, name)
        if key is None or values is None or not np.ndim(values):
            continue
        numbers = _numbers(scene.attrs[key])
        bands = _numbers_in_file(scene, len(numbers))
        if len(np.unique(numbers)) > 1:
            first = np.arange(1, scene.shape[0] + 1)
            if bands is None:
                unsure.append(
                    f"its bands have no numbers, so its attribute '{key}' is taken to be in their order; keep the coordinate "
                    "'band' of the file, which tells the order"
                )
            elif len(bands) < len(numbers) and np.array_equal(bands, first):
                unsure.append(
                    f"its attribute '{key}' has {len(numbers)} numbers, and its bands are numbered 1 to {len(bands)}, so "
                    "they get the first ones; keep the coordinate 'band' of the file if they were other bands there"
                )
        scene = declare(scene, name, values)
    return scene, tuple(unsure)


def declared(scene: xr.DataArray, name: str) -> float | Float64Array | None:
    """What an array declares.

    Args:
        scene: (band, y, x) array, also of rioxarray.
        name: `SCALE`, `OFFSET` or `NODATA`.

    Returns:
        One number for all bands, or (C,) numbers with NaN for bands without one; None if nothing is declared.

    Raises:
        SceneError: If it has other numbers for other pixels, or a list that does not fit the bands.
    """
    if name == NODATA and "_FillValue" in scene.encoding:
        # Of an array that was masked when it was read: its missing values are NaN now.
        return None if scene.dtype.kind == "f" else float(scene.encoding["_FillValue"])
    for key in _KEYS[name]:
        numbers = _numbers(scene.attrs.get(key))
        if len(numbers) == 1:
            return None if np.isnan(numbers[0]) else float(numbers[0])
        if len(numbers):
            return _of_bands(scene, numbers, key)
    along = scene.coords.get(name)
    if along is None:
        return None
    if along.dims not in ((), ("band",)):
        raise SceneError(
            f"the array has another {name} along {', '.join(map(str, along.dims))}",
            hint="join arrays of the same scale, offset and nodata value, or their scene.hsi.physical()",
        )
    return np.asarray(along.values, np.float64) if along.ndim else float(along)


def by_band(scene: xr.DataArray, name: str, missing: float) -> Float64Array:
    """What an array declares, for each band.

    Args:
        scene: (band, y, x) array.
        name: `SCALE`, `OFFSET` or `NODATA`.
        missing: The number if nothing is declared.

    Returns:
        (C,) numbers.
    """
    found = declared(scene, name)
    return np.broadcast_to(missing if found is None else found, scene.shape[:1])


def _numbers(value: Any) -> Float64Array:
    """The numbers of an attribute; none if it is absent or holds something else."""
    if value is None:
        return np.empty(0)
    try:
        return np.ravel(np.asarray(value, np.float64))
    except (TypeError, ValueError):
        return np.empty(0)


def _of_bands(scene: xr.DataArray, numbers: Float64Array, key: str) -> Float64Array:
    """The numbers of a list for the bands that an array still has, which their numbers in the file tell."""
    count = scene.shape[0]
    if len(np.unique(numbers)) == 1:  # the same for each band, also NaN
        return np.full(count, numbers[0])
    bands = _numbers_in_file(scene, len(numbers))
    if bands is not None:
        return np.asarray(numbers[bands - 1])
    if len(numbers) == count:
        return numbers
    raise SceneError(
        f"the array has {count} bands, and its attribute '{key}' has {len(numbers)} numbers",
        hint=f"give the attribute '{key}' one number for each band",
    )


def _numbers_in_file(scene: xr.DataArray, count: int) -> IntArray | None:
    """(C,) numbers of the bands in a file of so many bands, from 1; None if the array has none, or others."""
    bands = scene["band"].values if "band" in scene.coords else np.array([])
    known = len(bands) and bands.shape == scene.shape[:1] and bands.dtype.kind in "iu"
    return bands if known and bands.min() >= 1 and bands.max() <= count else None
