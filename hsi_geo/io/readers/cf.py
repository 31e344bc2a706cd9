"""NetCDF and Zarr scenes, read by xarray: EMIT, AVIRIS-3, AVIRIS-5 and files that follow CF.

Variable names differ between products. The cube is found by its number of dimensions, the axes and the
bands by their names or lengths, and the grid by a CF grid mapping, coordinates or a lookup table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine

from hsi_geo.arrays import AnyArray, Float64Array, IndexArray
from hsi_geo.errors import HsiGeoError, SceneError
from hsi_geo.io.files.paths import stamp
from hsi_geo.io.readers.base import (
    ArrayPixels,
    Pixels,
    SceneFile,
    StackedPixels,
    per_band,
    plain,
)
from hsi_geo.io.readers.cf_bands import (
    BandAxis,
    find_bad_bands,
    find_declared_bands,
    wavelength_warnings,
)
from hsi_geo.io.readers.cf_cube import Cube, find_cube
from hsi_geo.io.readers.cf_flags import find_flags
from hsi_geo.io.readers.cf_grid import (
    Layer,
    find_grid,
    find_map,
    find_places,
    has_grid,
    unused_places_warning,
)
from hsi_geo.io.readers.cf_groups import (
    Groups,
    open_group,
    open_groups,
    require_few_groups,
)
from hsi_geo.io.readers.cf_plane import Plane, is_x_axis
from hsi_geo.io.readers.cf_stored import (
    declared_attributes,
    declared_dtype,
    declared_values,
)
from hsi_geo.io.readers.glt import glt_fill_value
from hsi_geo.io.readers.handles import opened
from hsi_geo.io.readers.scaled_pixels import in_degrees
from hsi_geo.io.readers.swath import SwathCoordinates
from hsi_geo.tiling import Grid, Window

#: Longest name of a sensor and a product.
LABEL_CHARACTERS = 80


@dataclass(frozen=True, eq=False, kw_only=True)
class CfPixels(ArrayPixels):
    """A variable of two or three dimensions.

    Attributes:
        engine: xarray's engine, as in `open_groups`.
        group: Path of the group that holds the variable.
        name: Name of the variable in its group.
    """

    engine: str
    group: str
    name: str

    def variable(self) -> Any:
        """See `ArrayPixels.variable`."""
        dataset = opened((self.engine, self.path, self.group, self.stamp), self._open, self)
        return dataset.variables[self.name]

    def read(self, bands: IndexArray, window: Window) -> AnyArray:
        """See `ArrayPixels.read`; in the type that `declared_dtype` gives."""
        return declared_values(super().read(bands, window), self.variable())

    def _open(self) -> xr.Dataset:
        return open_group(self.path, self.group, self.engine)


def read_cf(path: str, engine: str) -> SceneFile:
    """Open a netCDF file or a Zarr store.

    Args:
        path: Path of the file or store.
        engine: xarray's engine, as in `open_groups`.

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
    cube = find_cube(groups, path)
    attributes = cube.array.attrs
    axis = BandAxis(cube.group, cube.axis("b"), cube.size("b"))
    bad = find_bad_bands(groups, axis)
    grid, geolocation, grid_warnings = _georeference(groups, cube, path, engine)
    nodata, dtype = cube.missing.nodata, declared_dtype(cube.array)
    if isinstance(geolocation, SwathCoordinates) and geolocation.own is not None:
        nodata = glt_fill_value(nodata, dtype)
    stored = _variable(path, engine)(group=cube.group, name=cube.name, order=cube.order)
    flags, flag_warnings = find_flags(
        groups, path, engine, cube.plane, partial(_flag_pixels, engine)
    )
    return SceneFile(
        name=path,
        driver=_label(groups, engine),
        grid=grid,
        found=find_declared_bands(groups, axis),
        found_warnings=wavelength_warnings(groups, axis),
        good=bad.good,
        good_source=bad.name,
        warnings=(
            *cube.warnings,
            *grid_warnings,
            *bad.warnings,
            *cube.missing.warnings,
            *flag_warnings,
        ),
        dtype=dtype,
        nodata=_by_band(groups, cube, "nodata", nodata, np.nan),
        scale=_by_band(groups, cube, "scale_factor", attributes.get("scale_factor"), 1.0),
        offset=_by_band(groups, cube, "add_offset", attributes.get("add_offset"), 0.0),
        pixels=cube.missing.apply(stored),
        geolocation=geolocation,
        quality=flags,
        block_px=cube.blocks,
    )


def _by_band(groups: Groups, cube: Cube, name: str, of_all: Any, missing: float) -> Float64Array:
    """The number of all bands, or those of a variable along the bands, as arrays of `open_scene` have it."""
    along = groups[cube.group].variables.get(name)
    if of_all is None and along is not None and along.dims == (cube.axis("b"),):
        of_all = along.values if along.dtype.kind in "iuf" else None
    return per_band(missing if of_all is None else of_all, cube.size("b"))


def _variable(path: str, engine: str) -> Callable[..., CfPixels]:
    """Function that reads a variable of the file: it takes ``group``, ``name`` and ``order``."""
    return partial(CfPixels, path=path, engine=engine, stamp=stamp(path))


def _georeference(
    groups: Groups, cube: Cube, path: str, engine: str
) -> tuple[Grid, SwathCoordinates | None, tuple[str, ...]]:
    """The grid of the cube, where its pixels lie if they are a swath, and warnings."""
    plane, variable = cube.plane, _variable(path, engine)

    def bands(layers: tuple[Layer, Layer]) -> Pixels:
        parts = (variable(group=group, name=name, order=order) for group, name, order in layers)
        return StackedPixels(tuple(parts), (1, 1))

    def degrees(layers: tuple[Layer, Layer]) -> Pixels:
        parts = [
            in_degrees(
                variable(group=group, name=name, order=order),
                declared_attributes(groups[group][name]),
            )
            for group, name, order in layers
        ]
        return StackedPixels(tuple(parts), (1, 1))

    sensor = Grid(*plane.shape, Affine.identity(), None)
    axes = (cube.group, *plane.names)
    lookup, places = _find_lookup(groups), find_places(groups, plane)
    if lookup is not None:
        layers, shape = lookup
        own = find_map(groups, cube.array, axes, shape, path), bands(layers)
        coordinates = own[1] if places is None else degrees(places)
        return sensor, SwathCoordinates(coordinates=coordinates, own=own), ()
    if places is not None and not has_grid(groups, cube.array, axes, path):
        return sensor, SwathCoordinates(coordinates=degrees(places)), ()
    grid, warnings = find_grid(groups, cube.array, axes, plane.shape, path)
    if grid.crs is None and not warnings:
        warnings = unused_places_warning(groups, plane)
    return grid, None, warnings


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


def _find_lookup(groups: Groups) -> tuple[tuple[Layer, Layer], tuple[int, int]] | None:
    """The lookup table's columns and rows, and its (rows, columns); None without a table."""
    for columns, rows in (("glt_x", "glt_y"), ("sample", "line")):
        for group, dataset in groups.items():
            if not {columns, rows} <= set(dataset.variables) or dataset[columns].ndim != 2:
                continue
            first, second = (str(dim) for dim in dataset[columns].dims)
            order = "xy" if is_x_axis(first) and not is_x_axis(second) else "yx"
            sizes = dict(zip(order, dataset[columns].shape, strict=True))
            names = (first, second) if order == "yx" else (second, first)
            plane = Plane(names, (sizes["y"], sizes["x"]), order)
            if of_rows := plane.order_of(dataset[rows]):
                return ((group, columns, order), (group, rows, of_rows)), plane.shape
    return None
