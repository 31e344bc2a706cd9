"""Stored values of netCDF and Zarr variables: unsigned integers in signed types, and packed numbers.

Sources: NetCDF Users' Guide, "Attribute Conventions" (``_Unsigned``); CF conventions 1.11, section 8.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from hsi_geo.arrays import AnyArray, Float64Array
from hsi_geo.io.readers.scaled_pixels import number_of

#: Attributes with numbers that are stored as the values of their variable are.
_STORED_KEYS = (
    *("_FillValue", "missing_value", "valid_range", "valid_min", "valid_max"),
    *("flag_values", "flag_masks", "nodata", "no_data_value"),
)


def declared_dtype(array: Any) -> np.dtype[Any]:
    """Type of the values of a variable: ``_Unsigned`` may declare another sign than that of the file.

    Example:
        >>> declared_dtype(xr.Variable("x", np.zeros(2, "int16"), {"_Unsigned": "true"}))
        dtype('uint16')
    """
    dtype: np.dtype[Any] = np.dtype(array.dtype)
    said = array.attrs.get("_Unsigned", "")
    kind = {"true": "u", "false": "i"}.get(_text(said).strip().lower())
    if kind is None or dtype.kind not in "iu":
        return dtype
    declared: np.dtype[Any] = np.dtype(dtype.str.replace(dtype.kind, kind))
    return declared


def declared_values(stored: AnyArray, array: Any) -> AnyArray:
    """Values in the type that `declared_dtype` gives.

    Args:
        stored: Values as the file holds them, of any shape.
        array: Their variable.

    Example:
        >>> array = xr.Variable("x", np.array([-1, 7], "int16"), {"_Unsigned": "true"})
        >>> declared_values(array.values, array).tolist()
        [65535, 7]
    """
    wanted = declared_dtype(array)
    return stored if wanted.kind == stored.dtype.kind else stored.astype(wanted)


def declared_attributes(array: Any) -> Mapping[str, Any]:
    """Attributes of a variable, with fill values, limits and flags in the type of `declared_dtype`.

    Example:
        >>> about = {"_Unsigned": "true", "_FillValue": np.int16(-1)}
        >>> int(declared_attributes(xr.Variable("x", np.zeros(2, "int16"), about))["_FillValue"])
        65535
    """
    wanted, found = declared_dtype(array), np.dtype(array.dtype)
    attributes: Mapping[str, Any] = array.attrs
    if wanted.kind == found.kind:
        return attributes
    changed = {
        key: _resigned(attributes[key], found, wanted) for key in _STORED_KEYS if key in attributes
    }
    return {**attributes, **changed}


def physical_values(array: xr.DataArray, *, fill: float | None = None) -> Float64Array:
    """Unpacked values of a small variable, such as a coordinate or a list of wavelengths.

    Args:
        array: The variable, not decoded.
        fill: What replaces the fill values of a packed variable; None leaves them. A coordinate may hold the
            fill value, which Zarr sets to 0, as a place.

    Returns:
        Values in the unit of the variable, of its shape.

    Example:
        >>> array = xr.DataArray([0, 30], attrs={"scale_factor": 0.5, "add_offset": 100.0})
        >>> physical_values(array).tolist()
        [100.0, 115.0]
    """
    stored, attributes = (
        declared_values(np.asarray(array.values), array),
        declared_attributes(array),
    )
    values = np.asarray(stored, np.float64)
    if not {"scale_factor", "add_offset"} & set(attributes):
        return values
    scale = number_of(attributes, "scale_factor", 1.0)
    unpacked = values * scale + number_of(attributes, "add_offset", 0.0)
    if fill is None:
        return unpacked
    fills = [number_of(attributes, key, np.nan) for key in ("_FillValue", "missing_value")]
    return np.where(np.isin(values, fills), fill, unpacked)


def _resigned(value: Any, found: np.dtype[Any], wanted: np.dtype[Any]) -> Any:
    """Integers of the type of a file in the wanted type; others, such as limits of unpacked values, as they are."""
    numbers = np.asarray(value)
    if numbers.dtype.kind not in "iu" or not numbers.size:
        return value
    limits = np.iinfo(found)
    fits = limits.min <= int(numbers.min()) and int(numbers.max()) <= limits.max
    return numbers.astype(found).astype(wanted) if fits else value


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
