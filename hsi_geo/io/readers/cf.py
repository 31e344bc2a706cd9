"""NetCDF and Zarr scenes, read by xarray: EMIT, AVIRIS-3, AVIRIS-5 and files that follow CF.

Variable names differ between products. The cube is found by its number of dimensions, the axes and the
bands by their names or lengths, and the grid by a CF grid mapping, coordinates or a lookup table.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import xarray as xr
from affine import Affine

from hsi_geo.errors import HsiGeoError, SceneError
from hsi_geo.io.files.paths import stamp
from hsi_geo.io.readers.base import (
    ArrayPixels,
    Pixels,
    SceneFile,
    StackedPixels,
    blocks_of,
    per_band,
    plain,
    require_real,
)
from hsi_geo.io.readers.cf_bands import find_bad_bands, find_declared_bands, wavelength_warnings
from hsi_geo.io.readers.cf_flags import find_flags
from hsi_geo.io.readers.cf_grid import find_grid, find_map, find_places, has_grid
from hsi_geo.io.readers.cf_groups import (
    Groups,
    iterate_variables,
    open_group,
    open_groups,
    require_few_groups,
)
from hsi_geo.io.readers.cf_missing import MissingValues, find_missing_values
from hsi_geo.io.readers.glt import glt_fill_value
from hsi_geo.io.readers.handles import opened
from hsi_geo.io.readers.scaled_pixels import in_degrees
from hsi_geo.io.readers.swath import SwathCoordinates
from hsi_geo.tiling import Grid

#: Names of the cube, best first. Without one of these, the largest variable is the cube.
_CUBES = ("reflectance", "rfl", "surface_reflectance", "radiance", "toa_radiance", "rhos")

#: Longest name of a sensor and a product.
LABEL_CHARACTERS = 80

_BAND_AXIS = re.compile(r"band|wave|wvl|spectr|lambda|channel", re.IGNORECASE)
_X_AXIS = re.compile(r"^(x|east.*|lon.*|col.*|sample.*|crosstrack|width)$", re.IGNORECASE)


@dataclass(frozen=True, eq=False, kw_only=True)
class CfPixels(ArrayPixels):
    """A variable of two or three dimensions.

    Attributes:
        engine: xarray's engine: "h5netcdf" or "zarr".
        group: Path of the group that holds the variable.
        name: Name of the variable in its group.
    """

    engine: str
    group: str
    name: str

    def variable(self) -> Any:
        """See `ArrayPixels.variable`."""
        dataset = opened((self.engine, self.path, self.group, self.stamp), self._open)
        return dataset.variables[self.name]

    def _open(self) -> xr.Dataset:
        return open_group(self.path, self.group, self.engine)


@dataclass(frozen=True, eq=False)
class _Cube:
    """The variable that holds the pixels.

    Attributes:
        group: Path of its group.
        name: Its name in the group.
        array: The variable.
        order: Letters of its axes in their order: b(and), y, x.
        missing: Which stored values mean no data.
    """

    group: str
    name: str
    array: xr.DataArray
    order: str
    missing: MissingValues

    def axis(self, letter: str) -> str:
        """Name of an axis, by its letter."""
        return str(self.array.dims[self.order.index(letter)])

    @property
    def blocks(self) -> tuple[int, int] | None:
        """(rows, columns) of its chunks; None if it has none."""
        encoding = self.array.encoding
        return blocks_of(encoding.get("chunksizes") or encoding.get("chunks"), self.order)

    def size(self, letter: str) -> int:
        """Length of an axis, by its letter."""
        return int(self.array.shape[self.order.index(letter)])


def read_cf(path: str, engine: str) -> SceneFile:
    """Open a netCDF-4 file or a Zarr store.

    Args:
        path: Path of the file or store.
        engine: xarray's engine: "h5netcdf" or "zarr".

    Returns:
        The scene, without its pixels.

    Raises:
        SceneError: If it holds no cube, or no grid for its pixels.
        MissingPackageError: If the engine's package is not installed.
    """
    if engine == "zarr":
        require_few_groups(path)
    groups = open_groups(path, engine)
    try:
        return _describe(groups, path, engine)
    except HsiGeoError:
        raise
    except Exception as error:  # a malformed file may raise anything in the engine's libraries
        raise SceneError(
            f"scene '{path}' does not have the layout of a netCDF or Zarr scene ({plain(error)})",
            hint="convert it to GeoTIFF",
        ) from error
    finally:
        for dataset in groups.values():
            dataset.close()


def _describe(groups: Groups, path: str, engine: str) -> SceneFile:
    cube = _find_cube(groups, path)
    attributes = cube.array.attrs
    count = cube.size("b")
    bad = find_bad_bands(groups, count)
    grid, geolocation = _georeference(groups, cube, path, engine)
    nodata = cube.missing.nodata
    if isinstance(geolocation, SwathCoordinates) and geolocation.own is not None:
        nodata = glt_fill_value(nodata, cube.array.dtype)
    stored = _variable(path, engine)(group=cube.group, name=cube.name, order=cube.order)
    shape = cube.size("y"), cube.size("x")
    flags, flag_warnings = find_flags(groups, path, engine, shape, partial(_flag_pixels, engine))
    return SceneFile(
        name=path,
        driver=_label(groups, engine),
        grid=grid,
        found=find_declared_bands(groups, count),
        found_warnings=wavelength_warnings(groups, count),
        good=bad.good,
        good_source=bad.name,
        warnings=(*bad.warnings, *cube.missing.warnings, *flag_warnings),
        dtype=cube.array.dtype,
        nodata=per_band(nodata, count),
        scale=per_band(attributes.get("scale_factor", 1.0), count),
        offset=per_band(attributes.get("add_offset", 0.0), count),
        pixels=cube.missing.apply(stored),
        geolocation=geolocation,
        quality=flags,
        block_px=cube.blocks,
    )


def _variable(path: str, engine: str) -> Callable[..., CfPixels]:
    """Function that reads a variable of the file: it takes ``group``, ``name`` and ``order``."""
    return partial(CfPixels, path=path, engine=engine, stamp=stamp(path))


def _georeference(
    groups: Groups, cube: _Cube, path: str, engine: str
) -> tuple[Grid, SwathCoordinates | None]:
    """The grid of the cube, and where its pixels lie if they are a swath."""
    shape = cube.size("y"), cube.size("x")
    variable = _variable(path, engine)

    def bands(names: tuple[tuple[str, str], tuple[str, str]]) -> Pixels:
        parts = tuple(variable(group=group, name=name, order="yx") for group, name in names)
        return StackedPixels(parts, (1, 1))

    def degrees(names: tuple[tuple[str, str], tuple[str, str]]) -> Pixels:
        parts = [
            in_degrees(variable(group=group, name=name, order="yx"), groups[group][name].attrs)
            for group, name in names
        ]
        return StackedPixels(tuple(parts), (1, 1))

    sensor = Grid(*shape, Affine.identity(), None)
    lookup, places = _find_lookup(groups), find_places(groups, shape)
    if lookup is not None:
        height, width = groups[lookup[0][0]][lookup[0][1]].shape
        own = find_map(groups, cube.array, (height, width), path), bands(lookup)
        coordinates = own[1] if places is None else degrees(places)
        return sensor, SwathCoordinates(coordinates=coordinates, own=own)
    axes = (cube.group, cube.axis("y"), cube.axis("x"))
    if places is not None and not has_grid(groups, cube.array, axes):
        return sensor, SwathCoordinates(coordinates=degrees(places))
    return find_grid(groups, cube.array, axes, shape, path), None


def _label(groups: Groups, engine: str) -> str:
    """The format, with the sensor and the product that the file names."""
    form = "Zarr" if engine == "zarr" else "netCDF"
    found = groups["/"].attrs if "/" in groups else {}
    product = " ".join(str(found.get("title", found.get("processing_level", ""))).split())
    sensor = [str(found[key]) for key in ("platform", "instrument") if key in found]
    before = [word for word in dict.fromkeys(sensor) if word not in product]
    named = " ".join([*before, product]).strip()[:LABEL_CHARACTERS]
    return f"{named}, {form}" if named else form


def _flag_pixels(engine: str, path: str, group: str, name: str, order: str) -> Pixels:
    """The pixels of a variable of flags."""
    return _variable(path, engine)(group=group, name=name, order=order)


def _find_cube(groups: Groups, path: str) -> _Cube:
    cubes = [
        (group, name, array)
        for group, name, array in iterate_variables(groups)
        if array.ndim == 3 and array.dtype.kind in "iuf"
    ]
    if not cubes:
        for _, _, array in iterate_variables(groups):
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
    missing = find_missing_values(array.attrs, array.dtype)
    return _Cube(group, name, array, _axis_order(groups, name, array, path), missing)


def _axis_order(groups: Groups, name: str, array: xr.DataArray, path: str) -> str:
    """Letters of the axes in their order.

    The axis of bands is found by its name, or by a list of wavelengths of its length. Of the other two
    the first is y, unless its name is one of x.
    """
    dims = [str(dim) for dim in array.dims]
    named = [dim for dim in dims if _BAND_AXIS.search(dim)]
    listed = [dim for dim in dims if find_declared_bands(groups, array.sizes[dim]) is not None]
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
    """(group, name) of the lookup table's columns, and of its rows; None without a table."""
    for columns, rows in (("glt_x", "glt_y"), ("sample", "line")):
        for group, dataset in groups.items():
            if {columns, rows} <= set(dataset.variables) and dataset[columns].ndim == 2:
                return (group, columns), (group, rows)
    return None
