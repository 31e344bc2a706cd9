"""NetCDF and Zarr scenes by xarray: EMIT, AVIRIS-3 and AVIRIS-5, and whatever keeps to CF.

Names differ between products, so a cube is known by its shape, its axes and its bands by their
names or lengths, and its place by a CF grid mapping, by coordinates or by a lookup table.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hsi_geo.arrays import BoolArray
from hsi_geo.errors import HsiGeoError, SceneError
from hsi_geo.io.files.limits import NESTED_GROUPS, STORED_OBJECTS, TEXT_BYTES
from hsi_geo.io.files.paths import stamp
from hsi_geo.io.readers.base import (
    ArrayPixels,
    Pixels,
    SceneFile,
    StackedPixels,
    blocks_of,
    missing_package,
    per_band,
    plain,
    require_real,
)
from hsi_geo.io.readers.cf_grid import find_grid, find_map
from hsi_geo.io.readers.glt import GltPixels
from hsi_geo.io.readers.handles import opened
from hsi_geo.io.readers.header_lists import FLAG_KEYS, HeaderList, UnusableListError, plain_key
from hsi_geo.io.readers.spectral_tags import CENTRE_KEYS
from hsi_geo.tiling import Grid
from hsi_geo.wavelength_units import are_band_numbers
from hsi_geo.wavelengths import DeclaredBands

#: What to install where xarray lacks an engine.
_INSTALL = {"h5netcdf": "h5py h5netcdf", "zarr": "'hsi-geo[zarr]'"}

#: Names of the cube, best first; else the largest there is.
_CUBES = ("reflectance", "rfl", "surface_reflectance", "radiance", "toa_radiance")

#: Rows of a map or a swath that are read at once where its file does not say what lies together.
MAP_ROWS = 64

_BAND_AXIS = re.compile(r"band|wave|wvl|spectr|lambda|channel", re.IGNORECASE)
_X_AXIS = re.compile(r"^(x|east.*|lon.*|col.*|sample.*|crosstrack|width)$", re.IGNORECASE)

#: Names of centres and widths, without underscores.
_CENTRE_KEYS = (*CENTRE_KEYS, "bandcentre", "bandcenter")
_WIDTH_KEYS = ("fwhm", "fullwidthhalfmax", "bandwidth")

Groups = Mapping[str, xr.Dataset]


@dataclass(frozen=True, eq=False, kw_only=True)
class CfPixels(ArrayPixels):
    """A variable of two or three dimensions.

    Attributes:
        engine: xarray's name for what reads it.
        group: That holds the variable.
        name: Of the variable.
    """

    engine: str
    group: str
    name: str

    def variable(self) -> Any:
        """See `ArrayPixels.variable`."""
        dataset = opened((self.engine, self.path, self.group, self.stamp), self._open)
        return dataset.variables[self.name]

    def _open(self) -> xr.Dataset:
        with _quiet():
            return xr.open_dataset(self.path, group=self.group, **_options(self.engine))


@dataclass(frozen=True, eq=False)
class _Cube:
    """A variable with the meaning of its axes."""

    group: str
    name: str
    array: xr.DataArray
    order: str

    def axis(self, letter: str) -> str:
        return str(self.array.dims[self.order.index(letter)])

    @property
    def blocks(self) -> tuple[int, int] | None:
        """(rows, columns) of the pieces it is stored in."""
        encoding = self.array.encoding
        return blocks_of(encoding.get("chunksizes") or encoding.get("chunks"), self.order)

    def size(self, letter: str) -> int:
        return int(self.array.shape[self.order.index(letter)])


def read_cf(path: str, engine: str) -> SceneFile:
    """Open a netCDF-4 file or a Zarr store.

    Args:
        path: Of the file or store.
        engine: xarray's name for what reads it: "h5netcdf" or "zarr".

    Returns:
        The scene, without its pixels.

    Raises:
        SceneError: If it holds no cube, or one without a place for each pixel.
        MissingPackageError: If the package that reads it is not installed.
    """
    if engine == "zarr":
        _require_few_groups(path)
    groups = _open_groups(path, engine)
    try:
        return _describe(groups, path, engine)
    except HsiGeoError:
        raise
    except Exception as error:  # whatever a malformed file leads to in the engine's libraries
        raise SceneError(
            f"scene '{path}' is laid out as no netCDF or Zarr scene is ({plain(error)})",
            hint="convert it to GeoTIFF",
        ) from error
    finally:
        for dataset in groups.values():
            dataset.close()


def _require_few_groups(path: str) -> None:
    """Refuse a store on this machine that is a bomb of groups.

    Raises:
        SceneError: If they are too many, or too deep.
    """
    waiting, count = [(Path(path), 0)] if Path(path).is_dir() else [], 0
    while waiting:
        group, depth = waiting.pop()
        for entry in group.iterdir():
            if not entry.is_dir() or not is_zarr(entry):
                continue
            count += 1
            if depth >= NESTED_GROUPS or count > STORED_OBJECTS:
                raise SceneError(
                    f"scene '{path}' holds groups nested {NESTED_GROUPS} deep, or more than "
                    f"{STORED_OBJECTS:,} groups and arrays",
                    hint="give the group that holds the cube",
                )
            if not _is_array(entry):
                waiting.append((entry, depth + 1))


def _is_array(node: Path) -> bool:
    described = node / "zarr.json"
    return (node / ".zarray").exists() or (
        described.is_file() and b'"array"' in described.read_bytes()[:TEXT_BYTES]
    )


def _open_groups(path: str, engine: str) -> Groups:
    try:
        with _quiet():
            groups: Groups = xr.open_groups(path, **_options(engine))
        return groups
    except Exception as error:
        if isinstance(error, ImportError) or "unrecognized engine" in str(error):
            raise missing_package(engine, path, _INSTALL[engine]) from error
        raise SceneError(
            f"scene '{path}' cannot be read as netCDF or Zarr ({plain(error)})",
            hint="copy or download it again, or convert it to GeoTIFF",
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Xarray that does not mind a Zarr store without consolidated metadata."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Failed to open Zarr store with consol", RuntimeWarning)
        yield


def _options(engine: str) -> dict[str, Any]:
    """Stored values, and neither times nor masks made of them."""
    options: dict[str, Any] = {
        "engine": engine,
        "decode_times": False,
        "mask_and_scale": False,
        "decode_coords": False,
        "cache": False,
    }
    # HDF5 that is no netCDF has no names for its axes.
    return options | ({"phony_dims": "access"} if engine == "h5netcdf" else {})


def _describe(groups: Groups, path: str, engine: str) -> SceneFile:
    cube = _find_cube(groups, path)
    attributes = cube.array.attrs
    count = cube.size("b")
    good = _good(groups, count)
    grid, pixels, nodata = _placed(groups, cube, path, engine)
    blocks = cube.blocks
    if isinstance(pixels, GltPixels):  # rows of the map cross those of the swath
        blocks = (blocks[0] if blocks else MAP_ROWS, grid.width)
    return SceneFile(
        name=path,
        driver="Zarr" if engine == "zarr" else "netCDF",
        grid=grid,
        found=_bands(groups, count),
        found_warnings=_of_other_bands(groups, count, _CENTRE_KEYS, _WIDTH_KEYS),
        good=good.good,
        good_source=good.name,
        warnings=good.warnings,
        dtype=cube.array.dtype,
        nodata=per_band(nodata, count),
        scale=per_band(attributes.get("scale_factor", 1.0), count),
        offset=per_band(attributes.get("add_offset", 0.0), count),
        pixels=pixels,
        block_px=blocks,
    )


def _placed(
    groups: Groups, cube: _Cube, path: str, engine: str
) -> tuple[Grid, Pixels, float | None]:
    """Grid, pixels on it, and the value of those without data."""
    mark = stamp(path)
    part = partial(CfPixels, path=path, engine=engine, stamp=mark)
    pixels = part(group=cube.group, name=cube.name, order=cube.order)
    nodata = _nodata(cube.array.attrs)
    shape = cube.size("y"), cube.size("x")
    lookup = _find_lookup(groups)
    if lookup is None:
        axes = (cube.group, cube.axis("y"), cube.axis("x"))
        return find_grid(groups, cube.array, axes, shape, path), pixels, nodata
    parts = tuple(part(group=group, name=name, order="yx") for group, name in lookup)
    height, width = groups[lookup[0][0]][lookup[0][1]].shape
    blocks = cube.blocks
    fill = _fill_value(nodata, cube.array.dtype)
    swath = GltPixels(
        swath=pixels,
        swath_shape=shape,
        lookup=StackedPixels(parts, (1, 1)),
        fill=fill,
        dtype=cube.array.dtype,
        rows_at_once=blocks[0] if blocks else MAP_ROWS,
    )
    return find_map(groups, cube.array, (height, width), path), swath, fill


def _fill_value(nodata: float | None, dtype: np.dtype[Any]) -> float:
    """What a map holds where its swath has nothing."""
    if nodata is not None and np.isfinite(nodata):
        return nodata
    if np.issubdtype(dtype, np.integer) and np.iinfo(dtype).min > -9999:
        return float(np.iinfo(dtype).max)
    return -9999.0


def _variables(groups: Groups) -> Iterator[tuple[str, str, xr.DataArray]]:
    """(group, name, array) of every variable and coordinate, groups nearest the root first."""
    for group in sorted(groups, key=lambda name: (name.count("/"), name)):
        for name in groups[group].variables:
            yield group, str(name), groups[group][name]


def _find_cube(groups: Groups, path: str) -> _Cube:
    cubes = [
        (group, name, array)
        for group, name, array in _variables(groups)
        if array.ndim == 3 and array.dtype.kind in "iuf"
    ]
    if not cubes:
        for _, _, array in _variables(groups):
            if array.ndim == 3:
                require_real(array.dtype, path)
        raise SceneError(
            f"scene '{path}' holds no three-dimensional variable",
            hint="give the file with the reflectance cube",
        )

    def rank(entry: tuple[str, str, xr.DataArray]) -> tuple[int, int]:
        known = [name for name in _CUBES if entry[1].lower() == name]
        return (_CUBES.index(known[0]) if known else len(_CUBES)), -entry[2].size

    group, name, array = min(cubes, key=rank)
    return _Cube(group, name, array, _axis_order(groups, name, array, path))


def _axis_order(groups: Groups, name: str, array: xr.DataArray, path: str) -> str:
    """Which axis is what: bands by name, else by as many wavelengths; of the others y is first."""
    dims = [str(dim) for dim in array.dims]
    named = [dim for dim in dims if _BAND_AXIS.search(dim)]
    listed = [dim for dim in dims if _bands(groups, array.sizes[dim]) is not None]
    bands = named if len(named) == 1 else [dim for dim in listed if dim in (named or dims)]
    if len(bands) != 1:
        raise SceneError(
            f"scene '{path}' has a variable '{name}' with the axes {', '.join(dims)}, and none of "
            "them is known to be its bands",
            hint="name one of them wavelength",
        )
    first, second = (dim for dim in dims if dim != bands[0])
    mirrored = _X_AXIS.match(first) and not _X_AXIS.match(second)
    letters = {bands[0]: "b", first: "x" if mirrored else "y", second: "y" if mirrored else "x"}
    return "".join(letters[dim] for dim in dims)


def _find_lookup(groups: Groups) -> tuple[tuple[str, str], tuple[str, str]] | None:
    """(group, name) of the lookup table's columns and of its rows."""
    for columns, rows in (("glt_x", "glt_y"), ("sample", "line")):
        for group, dataset in groups.items():
            if {columns, rows} <= set(dataset.variables) and dataset[columns].ndim == 2:
                return (group, columns), (group, rows)
    return None


def _bands(groups: Groups, count: int) -> DeclaredBands | None:
    """Centres from a list of as many numbers that has one of the usual names."""
    found = _list_named(_CENTRE_KEYS, groups, count)
    if found is None:
        return None
    name, array = found
    centres, unit = np.asarray(array.values, np.float64), _unit(name, array)
    if are_band_numbers(centres, unit):
        return None
    widths = _list_named(_WIDTH_KEYS, groups, count)
    source = f"the variable {name}"
    if widths is None:
        return DeclaredBands(centres, unit, source)
    fwhm = np.asarray(widths[1].values, np.float64)
    return DeclaredBands(centres, unit, source, fwhm, _unit(*widths))


def _unit(name: str, array: xr.DataArray) -> str | None:
    """The unit of a variable by its attributes, or by the end of its name."""
    for key in ("units", "unit", "Units", "Unit"):
        if array.attrs.get(key):
            return str(array.attrs[key])
    return next((unit for unit in ("nm", "um") if name.lower().endswith(f"_{unit}")), None)


@dataclass(frozen=True, eq=False)
class _Good:
    """The bad-band list, None for none or where all are good, its name, and lists without use."""

    good: BoolArray | None = None
    name: str = "bbl"
    warnings: tuple[str, ...] = ()


def _good(groups: Groups, count: int) -> _Good:
    warnings = _of_other_bands(groups, count, tuple(FLAG_KEYS))
    found = _list_named(tuple(FLAG_KEYS), groups, count)
    if found is None:
        return _Good(warnings=warnings)
    name, array = found
    values = array.values
    if array.dtype.kind == "f":  # what is missing is not said to be bad
        values = np.where(np.isnan(values), 1.0, values)
    is_bool = array.dtype.kind == "b" or array.attrs.get("dtype") == "bool"
    words = [_word(value) for value in (values.astype(bool) if is_bool else values)]
    try:
        good = HeaderList(name, " ".join(words), count).good()
    except UnusableListError as error:
        return _Good(warnings=(*warnings, str(error)))
    return _Good(None if good.all() else good, name, warnings)


def _word(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.strip() or "?"


def _of_other_bands(groups: Groups, count: int, *kinds: tuple[str, ...]) -> tuple[str, ...]:
    """Warnings of lists with one of the names, where none of them is as long as it should be."""
    told = []
    for names in kinds:
        if _list_named(names, groups, count) is not None:
            continue
        others = [
            (name, array.size)
            for _, name, array in _variables(groups)
            if array.ndim == 1 and plain_key(name) in names
        ]
        told += [
            f"its variable '{name}' has {size} entries and the scene {count} bands: not used"
            for name, size in others[:1]
        ]
    return tuple(told)


def _list_named(
    names: tuple[str, ...], groups: Groups, count: int
) -> tuple[str, xr.DataArray] | None:
    text = "OSU" if names[0] in FLAG_KEYS else ""
    lists = {
        plain_key(name): (name, array)
        for _, name, array in reversed(list(_variables(groups)))
        if array.ndim == 1 and array.size == count and array.dtype.kind in f"iufb{text}"
    }
    return next((lists[name] for name in names if name in lists), None)


def _nodata(attributes: Mapping[str, Any]) -> float | None:
    for key in ("_FillValue", "missing_value", "nodata", "no_data_value"):
        if key in attributes:
            return float(np.ravel(attributes[key])[0])
    return None


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr store, of version 2 or 3."""
    marks = ("zarr.json", ".zgroup", ".zarray", ".zmetadata")
    return any((path / mark).exists() for mark in marks)
