"""Missing values of netCDF and Zarr variables: fill values, missing values and valid ranges.

Sources: CF conventions 1.11, section 2.5.1; NetCDF Users' Guide, "Attribute Conventions".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hsi_geo.arrays import AnyArray, Float64Array, IndexArray
from hsi_geo.io.readers.base import Pixels
from hsi_geo.tiling import Window

#: Attributes of the value that replaces missing data; the first that a variable has is used.
_FILL_KEYS = ("_FillValue", "missing_value", "nodata", "no_data_value")

#: Attributes that may list further missing values.
_MISSING_KEYS = ("_FillValue", "missing_value")

#: Preferred fill value of types that can hold it.
_FILL = -9999.0

#: Limits in physical units are divided by the scale; smaller differences come from rounding.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class MissingValues:
    """Which stored values of a variable mean "no data".

    Attributes:
        nodata: The value that replaces all others; None if only NaN, or nothing, means no data.
        others: Further stored values that mean no data.
        low: The smallest valid stored value, -inf without a limit.
        high: The largest valid stored value, inf without a limit.
        warnings: One sentence for each attribute that cannot be used.
    """

    nodata: float | None
    others: tuple[float, ...] = ()
    low: float = -math.inf
    high: float = math.inf
    warnings: tuple[str, ...] = ()

    def apply(self, pixels: Pixels) -> Pixels:
        """Make `nodata` the only missing value of some pixels, beside NaN.

        Args:
            pixels: Stored values as the file holds them.

        Returns:
            Pixels that are filled while they are read. The same object if nothing has to be replaced.
        """
        if not self.others and np.isinf([self.low, self.high]).all():
            return pixels
        return FilledPixels(pixels, self)

    def fill(self, stored: AnyArray) -> AnyArray:
        """Replace further missing values and values outside the valid range.

        Args:
            stored: Stored values, of any shape.

        Returns:
            Values of the same shape and type.
        """
        missing = np.isin(stored, np.array(self.others).astype(stored.dtype))
        if np.isfinite(self.low):
            missing |= stored < self.low
        if np.isfinite(self.high):
            missing |= stored > self.high
        if not missing.any():
            return stored
        return np.where(missing, np.array(self.nodata).astype(stored.dtype), stored)


@dataclass(frozen=True, eq=False)
class FilledPixels:
    """Pixels whose missing values are replaced while they are read.

    Attributes:
        pixels: Stored values as the file holds them.
        missing: Which of them mean no data.
    """

    pixels: Pixels
    missing: MissingValues

    def read(self, bands: IndexArray, window: Window) -> AnyArray:
        """(B, height, width) stored values; see `Pixels.read`."""
        return self.missing.fill(self.pixels.read(bands, window))


def find_missing_values(attributes: Mapping[str, Any], dtype: np.dtype[Any]) -> MissingValues:
    """Read the attributes that describe missing values.

    Limits (``valid_range``, ``valid_min``, ``valid_max``) are in stored units. Floating-point limits of
    a variable that packs numbers into integers are in physical units (NetCDF Users' Guide).

    Args:
        attributes: Attributes of the variable, not decoded.
        dtype: Type of its stored values.

    Returns:
        The missing values. A value outside the valid range is chosen if the file has no fill value, or
        NaN: zero in all bands is data where the valid range holds it.

    Example:
        >>> found = find_missing_values({"_FillValue": -9999, "valid_min": 0}, np.dtype("int16"))
        >>> found.fill(np.array([-9999, -5, 0, 7], "int16")).tolist()
        [-9999, -9999, 0, 7]
        >>> find_missing_values({"valid_range": [0, 10000]}, np.dtype("uint16")).nodata
        10001.0
    """
    (low, high), warnings = _find_limits(attributes, dtype)
    lists = [_numbers(attributes, key) for key in _FILL_KEYS]
    stated = next((float(values[0]) for values in lists if len(values)), None)
    nodata = None if stated is None or np.isnan(stated) else stated
    listed = {float(value) for key in _MISSING_KEYS for value in _numbers(attributes, key)}
    others = sorted(value for value in listed - {stated} if _fits(value, dtype))
    if not others and np.isinf([low, high]).all():
        return MissingValues(nodata, warnings=warnings)
    if nodata is None or not _fits(nodata, dtype):
        nodata = others[0] if others else _value_outside(low, high, dtype)
        if nodata is None:  # the type holds no value outside the range
            return MissingValues(None, warnings=warnings)
    return MissingValues(nodata, tuple(others), low, high, warnings)


def _numbers(attributes: Mapping[str, Any], key: str) -> Float64Array:
    """The numbers of an attribute; none if it is absent or holds something else."""
    try:
        return np.ravel(np.asarray(attributes.get(key, ()), np.float64))
    except (ValueError, TypeError):
        return np.empty(0)


def _fits(value: float, dtype: np.dtype[Any]) -> bool:
    """Whether a finite number can be stored in a type."""
    if dtype.kind == "f":
        return bool(np.isfinite(value))
    info = np.iinfo(dtype)
    return bool(np.isfinite(value)) and value % 1 == 0 and info.min <= value <= info.max


def _find_limits(
    attributes: Mapping[str, Any], dtype: np.dtype[Any]
) -> tuple[tuple[float, float], tuple[str, ...]]:
    """(low, high) in stored units, and warnings about attributes that cannot be used."""
    warnings, limits = [], [-math.inf, math.inf]
    for key, first, count in (("valid_range", 0, 2), ("valid_min", 0, 1), ("valid_max", 1, 1)):
        if key not in attributes:
            continue
        values = _numbers(attributes, key)
        if len(values) != count or np.isnan(values).any():
            wanted = "two numbers" if count == 2 else "one number"
            warnings.append(f"its '{key}' does not hold {wanted}: not used")
        elif _is_in_physical_units(attributes, key, dtype):
            limits[first : first + count] = _unscaled(values, attributes)
        else:
            limits[first : first + count] = values.tolist()
    scale = _numbers(attributes, "scale_factor")
    negative = len(scale) == 1 and scale[0] < 0
    low, high = limits
    if low > high and negative:
        low, high = high, low
    if low > high:
        warnings.append(f"its valid range of {low:g} to {high:g} is empty: not used")
        low, high = -math.inf, math.inf
    if dtype.kind != "f":
        low = math.ceil(low - _ROUNDING) if math.isfinite(low) else low
        high = math.floor(high + _ROUNDING) if math.isfinite(high) else high
    return (low, high), tuple(warnings)


def _is_in_physical_units(attributes: Mapping[str, Any], key: str, dtype: np.dtype[Any]) -> bool:
    is_packed = dtype.kind != "f" and {"scale_factor", "add_offset"} & set(attributes)
    return bool(is_packed) and np.asarray(attributes[key]).dtype.kind == "f"


def _unscaled(values: Float64Array, attributes: Mapping[str, Any]) -> list[float]:
    """Stored values of physical ones; no limits where each band has its own scale."""
    scale, offset = _numbers(attributes, "scale_factor"), _numbers(attributes, "add_offset")
    if len(scale) > 1 or len(offset) > 1 or (len(scale) and scale[0] == 0):
        return [-math.inf, math.inf][: len(values)]
    factor = scale[0] if len(scale) else 1.0
    added = offset[0] if len(offset) else 0.0
    return [float(value) for value in (values - added) / factor]


def _value_outside(low: float, high: float, dtype: np.dtype[Any]) -> float | None:
    """A number that the type holds and the valid range excludes; None if there is none."""
    ends = () if dtype.kind == "f" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    for value in (_FILL, low - 1, high + 1, *ends):
        if _fits(value, dtype) and not low <= value <= high:
            return float(value)
    return None
