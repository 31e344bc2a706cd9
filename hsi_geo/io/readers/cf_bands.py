"""Wavelengths, widths and bad bands in the one-dimensional variables of a netCDF or Zarr scene."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import takewhile
from operator import itemgetter
from typing import Any

import numpy as np
import xarray as xr

from hsi_geo.arrays import BoolArray
from hsi_geo.io.readers.auxiliary_names import is_auxiliary
from hsi_geo.io.readers.cf_groups import Groups, holds, iterate_variables, nearest_first
from hsi_geo.io.readers.cf_plane import is_made_up
from hsi_geo.io.readers.cf_stored import physical_values
from hsi_geo.io.readers.header_lists import FLAG_KEYS, HeaderList, UnusableListError, plain_key
from hsi_geo.io.readers.spectral_tags import CENTRE_KEYS
from hsi_geo.wavelength_units import are_band_numbers
from hsi_geo.wavelengths import DeclaredBands

#: Names of band centres and widths as `plain_key` makes them, best first.
_CENTRE_NAMES = (*CENTRE_KEYS, "bandcentre", "bandcenter", "wavelength3d")
_WIDTH_NAMES = ("fwhm", "fullwidthhalfmax", "bandwidth")

#: A list of a file: group, name and array.
type _List = tuple[str, str, xr.DataArray]


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


@dataclass(frozen=True)
class BandAxis:
    """The axis of a cube that its bands lie along.

    Attributes:
        group: Path of the group of the cube.
        name: Name of the axis.
        size: Number of bands.
    """

    group: str
    name: str
    size: int


def find_declared_bands(groups: Groups, axis: BandAxis) -> DeclaredBands | None:
    """Find band centres and widths.

    Lists of the group of the cube and of the groups above it come before those of other groups, of which the ones
    that share most folders with it come first, and those beside another cube last. Of a group, lists along the axis
    come before others of its length.

    Args:
        groups: Groups of the file.
        axis: Axis of the bands.

    Returns:
        The first list with a known name and one number for each band; None if there is none.

    Example:
        >>> groups = {"/": xr.Dataset({"wavelength": ("band", [450.0, 550.0], {"units": "nm"})})}
        >>> find_declared_bands(groups, BandAxis("/", "band", 2)).centres
        array([450., 550.])
    """
    found = _find_list(_CENTRE_NAMES, groups, axis)
    if found is None:
        return None
    _, name, array = found
    centres, unit = physical_values(array, fill=np.nan), _unit(name, array)
    if are_band_numbers(centres, unit):
        return None
    widths = _find_list(_WIDTH_NAMES, groups, axis, _strange(groups, axis))
    source = f"the variable {name}"
    if widths is None:
        return DeclaredBands(centres, unit, source)
    fwhm = physical_values(widths[2], fill=np.nan)
    return DeclaredBands(centres, unit, source, fwhm, _unit(*widths[1:]))


def find_bad_bands(groups: Groups, axis: BandAxis) -> BadBands:
    """Find the bad-band list; arguments as in `find_declared_bands`."""
    warnings = _length_warnings(groups, axis, tuple(FLAG_KEYS))
    found = _find_list(tuple(FLAG_KEYS), groups, axis, _strange(groups, axis))
    if found is None:
        return BadBands(warnings=warnings)
    _, name, array = found
    values = array.values
    if array.dtype.kind == "f":  # a missing flag does not mark a band as bad
        values = np.where(np.isnan(values), 1.0, values)
    is_bool = array.dtype.kind == "b" or array.attrs.get("dtype") == "bool"
    words = [_word(value) for value in (values.astype(bool) if is_bool else values)]
    try:
        good = HeaderList(name, " ".join(words), axis.size).good()
    except UnusableListError as error:
        return BadBands(warnings=(*warnings, str(error)))
    return BadBands(None if good.all() else good, name, warnings)


def wavelength_warnings(groups: Groups, axis: BandAxis) -> tuple[str, ...]:
    """Warnings about lists of centres and widths of another length, and about centres that may be those of others."""
    return (
        *_length_warnings(groups, axis, _CENTRE_NAMES, _WIDTH_NAMES),
        *_doubt(groups, axis),
    )


def _doubt(groups: Groups, axis: BandAxis) -> tuple[str, ...]:
    """A warning if other centres are as near to the cube as those that are used."""
    ranked = _ranked(_CENTRE_NAMES, groups, axis)
    for rank, (group, name, array) in ranked[1:]:
        best, (used, _, centres) = ranked[0]
        if rank == best and group != used and _differ(array, centres):
            warning = (
                f"its wavelengths are those of the group '{used}', and '{name}' in '{group}' has others: "
                "give the right ones if these are of another image"
            )
            return (warning,)
    return ()


def _unit(name: str, array: xr.DataArray) -> str | None:
    """The unit of a variable by its attributes, or by the end of its name."""
    for key in ("units", "unit", "Units", "Unit"):
        if array.attrs.get(key):
            return str(array.attrs[key])
    return next((unit for unit in ("nm", "um") if name.lower().endswith(f"_{unit}")), None)


def _word(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.strip() or "?"


def _length_warnings(groups: Groups, axis: BandAxis, *kinds: tuple[str, ...]) -> tuple[str, ...]:
    """One warning for each kind of list that the file has only in another length."""
    warnings = []
    for names in kinds:
        if _find_list(names, groups, axis) is not None:
            continue
        others = [
            (name, array.size)
            for _, name, array in iterate_variables(groups)
            if array.ndim == 1 and plain_key(name) in names and array.size != axis.size
        ]
        warnings += [
            f"its variable '{name}' has {size} entries and the scene {axis.size} bands: not used"
            for name, size in others[:1]
        ]
    return tuple(warnings)


def _find_list(
    names: tuple[str, ...], groups: Groups, axis: BandAxis, left_out: Collection[str] = ()
) -> _List | None:
    """The best list with a known name and one entry for each band."""
    ranked = [entry for _, entry in _ranked(names, groups, axis) if entry[0] not in left_out]
    return ranked[0] if ranked else None


def _ranked(
    names: tuple[str, ...], groups: Groups, axis: BandAxis
) -> list[tuple[tuple[int, ...], _List]]:
    """Lists with a known name and one entry for each band, the best first, and how good they are (least is best)."""
    text = "OSU" if names[0] in FLAG_KEYS else ""
    of_others = _with_other_cubes(groups, axis)
    lists = [
        (group, str(name), groups[group][name])
        for group in nearest_first(groups, axis.group)
        for name, one in groups[group].variables.items()
        if one.ndim == 1 and one.size == axis.size and one.dtype.kind in f"iufb{text}"
        if plain_key(str(name)) in names
    ]

    def rank(entry: _List) -> tuple[int, ...]:
        group, name, array = entry
        is_near = holds(group, axis.group)
        # In groups that lie beside each other, axes of one name are not the same.
        is_within = is_near or holds(axis.group, group)
        is_along = is_within and array.dims == (axis.name,) and not is_made_up(axis.name)
        away = 0 if is_near else -_shared_levels(group, axis.group)
        return group in of_others, not is_along, not is_near, away, names.index(plain_key(name))

    return sorted(((rank(entry), entry) for entry in lists), key=itemgetter(0))


def _shared_levels(group: str, other: str) -> int:
    """Number of groups in which two groups lie both, beside the root."""
    levels = zip(group.strip("/").split("/"), other.strip("/").split("/"), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], levels))


def _strange(groups: Groups, axis: BandAxis) -> frozenset[str]:
    """Groups with wavelengths that are not those of the cube: their other lists are not either."""
    centres = [entry for _, entry in _ranked(_CENTRE_NAMES, groups, axis)]
    return frozenset(
        group
        for group, _, array in centres[1:]
        if group != centres[0][0]
        if not holds(group, axis.group) and _differ(array, centres[0][2])
    )


def _differ(one: xr.DataArray, other: xr.DataArray) -> bool:
    """Whether two lists hold other wavelengths, in whatever unit."""
    first, second = (physical_values(array, fill=np.nan) for array in (one, other))
    if np.isnan(first).all() or np.isnan(second).all():
        return False
    first, second = first / np.nanmax(first), second / np.nanmax(second)
    return not np.allclose(first, second, rtol=1e-3, atol=0, equal_nan=True)


def _with_other_cubes(groups: Groups, axis: BandAxis) -> frozenset[str]:
    """Groups beside that of a cube that hold cubes of their own, along wavelengths of their own."""
    return frozenset(
        group
        for group, dataset in groups.items()
        if not holds(group, axis.group) and _has_cube(dataset) and not is_auxiliary(group)
    )


def _has_cube(dataset: xr.Dataset) -> bool:
    along = {
        one.dims[0]
        for name, one in dataset.variables.items()
        if one.ndim == 1 and plain_key(str(name)) in _CENTRE_NAMES
    }
    return any(
        sum(size > 1 for size in one.shape) > 2 and along & set(one.dims)
        for name, one in dataset.variables.items()
        if not is_auxiliary(str(name))
    )
