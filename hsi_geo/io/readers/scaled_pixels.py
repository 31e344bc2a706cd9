"""Coordinates that are stored as packed numbers, with a fill value, or in radians."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hsi_geo.arrays import AnyArray, Float64Array, IndexArray
from hsi_geo.io.readers.base import Pixels
from hsi_geo.tiling import Window

#: Attributes of values that stand for missing ones.
_FILLS = ("_FillValue", "missing_value")


@dataclass(frozen=True, eq=False)
class ScaledPixels:
    """Physical values of stored ones.

    Attributes:
        pixels: Stored values.
        scale: Factor from stored to physical values.
        offset: Offset, added after scaling.
        fills: Stored values that mean no data; they are read as NaN.
    """

    pixels: Pixels
    scale: float = 1.0
    offset: float = 0.0
    fills: tuple[float, ...] = ()

    def read(self, bands: IndexArray, window: Window) -> AnyArray:
        """(B, height, width) float64; see `Pixels.read`."""
        stored = self.pixels.read(bands, window)
        values = stored.astype(np.float64) * self.scale + self.offset
        return np.where(np.isin(stored, self.fills), np.nan, values)


def in_degrees(pixels: Pixels, attributes: Mapping[str, Any]) -> Pixels:
    """Longitudes or latitudes in degrees.

    Args:
        pixels: Stored values.
        attributes: Attributes of the variable: ``scale_factor``, ``add_offset``, ``_FillValue``, ``units``.

    Returns:
        The same pixels if no attribute changes them.
    """
    scale, offset = (
        number_of(attributes, "scale_factor", 1.0),
        number_of(attributes, "add_offset", 0.0),
    )
    fills = tuple(
        value for key in _FILLS if np.isfinite(value := number_of(attributes, key, np.nan))
    )
    units = attributes.get("units", "")
    units = units.decode("ascii", "replace") if isinstance(units, bytes) else str(units)
    if units.strip().lower().startswith("rad"):
        scale, offset = float(np.degrees(scale)), float(np.degrees(offset))
    if (scale, offset, fills) == (1.0, 0.0, ()):
        return pixels
    return ScaledPixels(pixels, scale, offset, fills)


def number_of(attributes: Mapping[str, Any], key: str, missing: float) -> float:
    """The first number of an attribute.

    Args:
        attributes: Attributes by name.
        key: Name of the attribute.
        missing: Result if there is no such attribute, or it holds no number.

    Example:
        >>> number_of({"a": np.array([2.5]), "b": "x"}, "a", 1.0), number_of({"b": "x"}, "b", 1.0)
        (2.5, 1.0)
    """
    try:
        if np.iscomplexobj(attributes[key]):
            return missing
        values: Float64Array = np.ravel(np.asarray(attributes[key], np.float64))
        return float(values[0])
    except (KeyError, ValueError, TypeError, IndexError):
        return missing
