"""The variable of a netCDF or Zarr scene that holds its pixels, and the order of its axes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import xarray as xr

from hsi_geo.errors import SceneError
from hsi_geo.io.readers.auxiliary_names import is_auxiliary, may_be_measured
from hsi_geo.io.readers.base import blocks_of, require_real
from hsi_geo.io.readers.cf_bands import BandAxis, find_declared_bands
from hsi_geo.io.readers.cf_groups import Groups, iterate_variables
from hsi_geo.io.readers.cf_missing import MissingValues, find_missing_values
from hsi_geo.io.readers.cf_plane import Plane, is_x_axis
from hsi_geo.io.readers.cf_stored import declared_attributes, declared_dtype

#: Names of the cube, best first. Without one of these, the largest variable is the cube.
_CUBES = ("reflectance", "rfl", "surface_reflectance", "radiance", "toa_radiance", "rhos")

#: Number of other candidates that a warning names.
_NAMED = 4

_BAND_AXIS = re.compile(r"band|wave|wvl|spectr|lambda|channel", re.IGNORECASE)

_Candidate = tuple[str, str, xr.DataArray]


class NoCubeError(SceneError):
    """A file has no variable of three axes, or none of them is known to be the bands."""


@dataclass(frozen=True, eq=False)
class Cube:
    """The variable that holds the pixels.

    Attributes:
        group: Path of its group.
        name: Its name in the group.
        array: The variable.
        order: Letters of its axes in their order: b(and), y, x, and 1 for a further axis of that length.
        missing: Which stored values mean no data.
        warnings: A sentence about other variables that may be the cube as well.
    """

    group: str
    name: str
    array: xr.DataArray
    order: str
    missing: MissingValues
    warnings: tuple[str, ...] = ()

    def axis(self, letter: str) -> str:
        """Name of an axis, by its letter."""
        return str(self.array.dims[self.order.index(letter)])

    @property
    def blocks(self) -> tuple[int, int] | None:
        """(rows, columns) of its chunks; None if it has none."""
        encoding = self.array.encoding
        return blocks_of(encoding.get("chunksizes") or encoding.get("chunks"), self.order)

    @property
    def plane(self) -> Plane:
        """Its rows and columns."""
        stored = "".join(letter for letter in self.order if letter in "yx")
        return Plane((self.axis("y"), self.axis("x")), (self.size("y"), self.size("x")), stored)

    def size(self, letter: str) -> int:
        """Length of an axis, by its letter."""
        return int(self.array.shape[self.order.index(letter)])


def find_cube(groups: Groups, path: str) -> Cube:
    """Find the cube of a scene.

    Args:
        groups: Groups of the file.
        path: Path of the file, for messages.

    Returns:
        The variable with a known name, else the largest one that is none of noise, quality or masks.

    Raises:
        NoCubeError: If no variable has three axes beside those of length 1, or none of them is known to be the bands.
    """
    squeezed = [
        (group, name, array)
        for group, name, array in iterate_variables(groups)
        if len(_dims(array)) == 3 and array.dtype.kind in "iuf"
    ]
    # Tables of other things may have further axes of length 1, too.
    candidates = [
        entry for entry in squeezed if entry[2].ndim == 3 or _band_axes(groups, entry)
    ] or squeezed
    if not candidates:
        for _, _, array in iterate_variables(groups):
            if len(_dims(array)) == 3:
                require_real(array.dtype, path)
        _refuse_many_axes(groups, path)
        raise NoCubeError(
            f"scene '{path}' holds no three-dimensional variable",
            hint="give the file with the reflectance cube",
        )
    (group, name, array), warnings = _choose(groups, candidates)
    missing = find_missing_values(declared_attributes(array), declared_dtype(array))
    order = _axis_order(groups, (group, name, array), path)
    return Cube(group, name, array, order, missing, warnings)


def _choose(groups: Groups, candidates: Sequence[_Candidate]) -> tuple[_Candidate, tuple[str, ...]]:
    """The cube, and a warning if others may be it as well."""
    named = _ancillary(groups)

    def rank(entry: _Candidate) -> tuple[int, bool, int, int]:
        group, name, array = entry
        known = name.lower() in _CUBES and not is_auxiliary(group)
        index = _CUBES.index(name.lower()) if known else len(_CUBES)
        return index, name in named, 0 if known else _about_cubes(entry), -array.size

    ranked = sorted(candidates, key=rank)  # equal ones stay in their order
    best = rank(ranked[0])
    equal = [entry for entry in ranked if rank(entry) == best]
    if len(equal) > 1:
        named_bands = [entry for entry in equal if any(map(_BAND_AXIS.search, _dims(entry[2])))]
        equal = named_bands or [e for e in equal if _band_axes(groups, e)] or equal
    chosen, *others = equal
    size = best[3]
    smaller = [
        entry
        for entry in ranked
        if rank(entry)[:3] == best[:3] and rank(entry)[3] > size
        if _has_other_bands(groups, entry, chosen)
    ]
    passed_over = [  # its name alone may deceive
        entry
        for entry, (*known, about, own) in ((one, rank(one)) for one in ranked)
        if tuple(known) == best[:2] and about > best[2]
        if own < size or (own == size and _is_doubtful(entry, chosen))
    ]
    return chosen, _several_warning(chosen, [*others, *smaller, *passed_over])


def _has_other_bands(groups: Groups, entry: _Candidate, chosen: _Candidate) -> bool:
    """Whether a variable has the pixels of the cube and wavelengths of its own, as that of another detector."""
    axes = _band_axes(groups, entry)
    if len(axes) != 1 or _pixels(entry, axes) != _pixels(chosen, _band_axes(groups, chosen)):
        return False
    axis = BandAxis(entry[0], axes[0], int(entry[2].sizes[axes[0]]))
    return find_declared_bands(groups, axis) is not None


def _pixels(entry: _Candidate, band_axes: Sequence[str]) -> list[int]:
    """Lengths of the axes that are not the bands, in increasing order."""
    array = entry[2]
    return sorted(int(array.sizes[dim]) for dim in _dims(array) if dim not in band_axes)


def _several_warning(chosen: _Candidate, others: Sequence[_Candidate]) -> tuple[str, ...]:
    if not others:
        return ()
    names = [f"'{_path_of(other)}'" for other in others[:_NAMED]]
    if len(others) > _NAMED:
        names.append(f"{len(others) - _NAMED} more")
    listed = " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
    warning = (
        f"its variable '{_path_of(chosen)}' is read, and {listed} may be the scene as well: to use "
        "another variable, write it to a file of its own"
    )
    return (warning,)


def _path_of(entry: _Candidate) -> str:
    return f"{entry[0].rstrip('/')}/{entry[1]}".removeprefix("/")


def _ancillary(groups: Groups) -> frozenset[str]:
    """Names of the variables that describe others (CF conventions, section 3.4)."""
    listed = [
        str(array.attrs.get("ancillary_variables", "")) for _, _, array in iterate_variables(groups)
    ]
    return frozenset(name.rsplit("/", 1)[-1] for text in listed for name in text.split())


def _about_cubes(entry: _Candidate) -> int:
    """How sure it is that a variable is noise, quality or a mask: 2 by its name, 1 by its description."""
    group, name, array = entry
    standard = str(array.attrs.get("standard_name", ""))
    is_modified = len(standard.split()) > 1  # such as "surface_albedo standard_error"
    if is_modified or any(map(is_auxiliary, (group, name, standard))):
        return 2
    return int(is_auxiliary(str(array.attrs.get("long_name", ""))))


def _is_doubtful(entry: _Candidate, chosen: _Candidate) -> bool:
    """Whether nothing but its name tells that a variable is noise, quality or a mask, and that not for sure."""
    group, name, array = entry
    described = [str(array.attrs.get(key, "")) for key in ("standard_name", "long_name")]
    if len(described[0].split()) > 1 or any(map(is_auxiliary, (group, *described))):
        return False
    return is_auxiliary(name) and may_be_measured(name, chosen[1])


def _dims(array: xr.DataArray) -> list[str]:
    """Axes without the first ones of length 1 that are more than three, such as a single time."""
    dims = [str(dim) for dim in array.dims]
    single = [dim for dim in dims if array.sizes[dim] == 1 and not _BAND_AXIS.search(dim)]
    further = single[: max(0, len(dims) - 3)]
    return [dim for dim in dims if dim not in further]


def _refuse_many_axes(groups: Groups, path: str) -> None:
    """Refuse a cube of several times, or of another axis more.

    Raises:
        SceneError: If there is one.
    """
    large = [
        (array.size, name, array)
        for _, name, array in iterate_variables(groups)
        if len(_dims(array)) > 3 and array.dtype.kind in "iuf"
    ]
    if not large:
        return
    _, name, array = max(large, key=lambda entry: entry[0])
    axes = ", ".join(f"{dim} ({array.sizes[dim]})" for dim in _dims(array))
    first = next(dim for dim in _dims(array) if not _BAND_AXIS.search(dim))
    raise SceneError(
        f"scene '{path}' has a variable '{name}' with {len(_dims(array))} axes: {axes}, and a scene has three",
        hint="write one image of it to a file, for example with xarray: "
        f"xarray.open_dataset(...).isel({first}=0).to_netcdf(...)",
    )


def _band_axes(groups: Groups, entry: _Candidate) -> list[str]:
    """Axes that may be the bands, by their names, or by a list of wavelengths of their length."""
    group, _, array = entry
    dims = _dims(array)
    named = [dim for dim in dims if _BAND_AXIS.search(dim)]
    if len(named) == 1:
        return named
    axes = [BandAxis(group, dim, array.sizes[dim]) for dim in dims]
    listed = [axis.name for axis in axes if find_declared_bands(groups, axis) is not None]
    return [dim for dim in listed if dim in (named or dims)]


def _axis_order(groups: Groups, entry: _Candidate, path: str) -> str:
    """Letters of the axes in their order.

    The axis of bands is found by its name, or by a list of wavelengths of its length. Of the other two
    the first is y, unless its name is one of x.
    """
    _, name, array = entry
    dims = _dims(array)
    bands = _band_axes(groups, entry)
    if len(bands) != 1:
        raise NoCubeError(
            f"scene '{path}' has a variable '{name}' with the axes {', '.join(dims)}, and none of "
            "them is known to be its bands",
            hint="name one of them wavelength",
        )
    first, second = (dim for dim in dims if dim != bands[0])
    mirrored = is_x_axis(first) and not is_x_axis(second)
    letters = {bands[0]: "b", first: "x" if mirrored else "y", second: "y" if mirrored else "x"}
    return "".join(letters.get(str(dim), "1") for dim in array.dims)
