"""Wavelengths, widths and bad bands in the one-dimensional variables of a netCDF or Zarr scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from hsi_geo.arrays import BoolArray
from hsi_geo.io.readers.cf_groups import Groups, iterate_variables
from hsi_geo.io.readers.cf_stored import physical_values
from hsi_geo.io.readers.header_lists import FLAG_KEYS, HeaderList, UnusableListError, plain_key
from hsi_geo.io.readers.spectral_tags import CENTRE_KEYS
from hsi_geo.wavelength_units import are_band_numbers
from hsi_geo.wavelengths import DeclaredBands

#: Names of band centres and widths as `plain_key` makes them, best first.
_CENTRE_NAMES = (*CENTRE_KEYS, "bandcentre", "bandcenter", "wavelength3d")
_WIDTH_NAMES = ("fwhm", "fullwidthhalfmax", "bandwidth")


@dataclass(frozen=True, eq=False)
class BadBands:
    """The bad-band list of a file.

    Attributes:
        good: (C,) False for bad bands; None if there is no list or all bands are good.
        name: Name of the variable that holds the list.
        warnings: One sentence for each list that cannot be used.
    """

    good: BoolArray | None = None
    name: str = "bbl"
    warnings: tuple[str, ...] = ()


def find_declared_bands(groups: Groups, count: int) -> DeclaredBands | None:
    """Find band centres and widths.

    Args:
        groups: Groups of the file.
        count: Number of bands of the scene.

    Returns:
        The first list with a known name and one number for each band; None if there is none.

    Example:
        >>> groups = {"/": xr.Dataset({"wavelength": ("band", [450.0, 550.0], {"units": "nm"})})}
        >>> find_declared_bands(groups, 2).centres
        array([450., 550.])
    """
    found = _find_list(_CENTRE_NAMES, groups, count)
    if found is None:
        return None
    name, array = found
    centres, unit = physical_values(array, fill=np.nan), _unit(name, array)
    if are_band_numbers(centres, unit):
        return None
    widths = _find_list(_WIDTH_NAMES, groups, count)
    source = f"the variable {name}"
    if widths is None:
        return DeclaredBands(centres, unit, source)
    fwhm = physical_values(widths[1], fill=np.nan)
    return DeclaredBands(centres, unit, source, fwhm, _unit(*widths))


def find_bad_bands(groups: Groups, count: int) -> BadBands:
    """Find the bad-band list; arguments as in `find_declared_bands`."""
    warnings = _length_warnings(groups, count, tuple(FLAG_KEYS))
    found = _find_list(tuple(FLAG_KEYS), groups, count)
    if found is None:
        return BadBands(warnings=warnings)
    name, array = found
    values = array.values
    if array.dtype.kind == "f":  # a missing flag does not mark a band as bad
        values = np.where(np.isnan(values), 1.0, values)
    is_bool = array.dtype.kind == "b" or array.attrs.get("dtype") == "bool"
    words = [_word(value) for value in (values.astype(bool) if is_bool else values)]
    try:
        good = HeaderList(name, " ".join(words), count).good()
    except UnusableListError as error:
        return BadBands(warnings=(*warnings, str(error)))
    return BadBands(None if good.all() else good, name, warnings)


def wavelength_warnings(groups: Groups, count: int) -> tuple[str, ...]:
    """Warnings about lists of centres and widths whose length is not the number of bands."""
    return _length_warnings(groups, count, _CENTRE_NAMES, _WIDTH_NAMES)


def _unit(name: str, array: xr.DataArray) -> str | None:
    """The unit of a variable by its attributes, or by the end of its name."""
    for key in ("units", "unit", "Units", "Unit"):
        if array.attrs.get(key):
            return str(array.attrs[key])
    return next((unit for unit in ("nm", "um") if name.lower().endswith(f"_{unit}")), None)


def _word(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.strip() or "?"


def _length_warnings(groups: Groups, count: int, *kinds: tuple[str, ...]) -> tuple[str, ...]:
    """One warning for each kind of list that the file has only in another length."""
    warnings = []
    for names in kinds:
        if _find_list(names, groups, count) is not None:
            continue
        others = [
            (name, array.size)
            for _, name, array in iterate_variables(groups)
            if array.ndim == 1 and plain_key(name) in names
        ]
        warnings += [
            f"its variable '{name}' has {size} entries and the scene {count} bands: not used"
            for name, size in others[:1]
        ]
    return tuple(warnings)


def _find_list(
    names: tuple[str, ...], groups: Groups, count: int
) -> tuple[str, xr.DataArray] | None:
    """(name, array) of the first list with a known name and one entry for each band."""
    text = "OSU" if names[0] in FLAG_KEYS else ""
    lists = {
        plain_key(name): (name, array)
        for _, name, array in reversed(list(iterate_variables(groups)))
        if array.ndim == 1 and array.size == count and array.dtype.kind in f"iufb{text}"
    }
    return next((lists[name] for name in names if name in lists), None)
