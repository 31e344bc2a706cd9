"""Transform and CRS of an array, in the CF convention that rioxarray reads and writes.

rioxarray is imported when ``.rio`` is first used: it imports Dask's arrays where Dask is installed, which takes
longer than opening a scene.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import lru_cache
from typing import Any

import xarray as xr
from affine import Affine
from pyproj import CRS
from rasterio.crs import CRS as RasterioCRS
from rasterio.errors import CRSError

from hsi_geo.tiling import Grid

#: Name of the coordinate that holds transform and CRS.
SPATIAL_REF = "spatial_ref"

#: Number of CRS that are kept as libraries describe them: the tiles of a batch have one or a few.
KNOWN_CRS = 32


class _RioOnFirstUse:
    """The accessor ``.rio``: it imports rioxarray, which replaces this attribute by its own accessor."""

    def __get__(self, scene: object, owner: type) -> Any:
        """Rioxarray's accessor of an array."""
        if scene is None:
            # To rioxarray, which asks the class, the name is free: it warns of names that are taken.
            raise AttributeError("rio")
        import rioxarray  # noqa: F401  (registers its own accessor)

        return scene.rio  # type: ignore[attr-defined]


def register_rio() -> None:
    """Let arrays and datasets have ``.rio``, as after ``import rioxarray``."""
    if "rioxarray" not in sys.modules:
        for owner in (xr.DataArray, xr.Dataset):
            owner.rio = _RioOnFirstUse()  # type: ignore[union-attr]


def write_grid(scene: xr.DataArray, grid: Grid) -> xr.DataArray:
    """The array with transform and CRS of a grid, as ``.rio.write_transform`` and ``.rio.write_crs`` write them.

    Args:
        scene: (band, y, x) array.
        grid: With as many rows and columns.
    """
    attributes = {} if grid.crs is None else dict(_crs_attributes(grid.crs.to_wkt()))
    attributes["GeoTransform"] = " ".join(str(item) for item in grid.transform.to_gdal())
    written = scene.assign_coords({SPATIAL_REF: xr.Variable((), 0, attributes)})
    written.attrs.pop("grid_mapping", None)
    written.encoding["grid_mapping"] = SPATIAL_REF
    return written


@lru_cache(maxsize=KNOWN_CRS)
def _crs_attributes(wkt: str) -> dict[str, Any]:
    """Attributes that describe a CRS; they must not be changed."""
    attributes: dict[str, Any] = {}
    crs = _rasterio_crs(wkt)
    with suppress(KeyError):  # a CRS without a name in CF
        attributes = CRS.from_user_input(crs).to_cf()
    attributes["spatial_ref"] = attributes["crs_wkt"] = crs.to_wkt()
    return attributes


def read_crs(scene: xr.DataArray) -> CRS | None:
    """CRS of an array; None if it has none.

    Args:
        scene: (..., y, x) array with the coordinate that `write_grid` writes, or in another convention of rioxarray.
    """
    mapping = _mapping_of(scene)
    wkt = None if mapping is None else mapping.attrs.get("spatial_ref")
    # A program that has imported rioxarray may have set the CRS without writing it to the coordinate.
    alone = "rioxarray" not in sys.modules
    if alone and wkt is None and _has_transform_only(scene, mapping):
        return None
    if wkt is None or not alone:
        found = scene.rio.crs
        return CRS.from_wkt(found.to_wkt()) if found else None
    return _crs_of(wkt)


@lru_cache(maxsize=KNOWN_CRS)
def _crs_of(wkt: str) -> CRS:
    return CRS.from_wkt(_rasterio_crs(wkt).to_wkt())


def read_transform(scene: xr.DataArray) -> Affine | None:
    """Transform of an array as the file has it; None if none is written.

    Args:
        scene: (..., y, x) array.
    """
    mapping = _mapping_of(scene)
    stored = None if mapping is None else mapping.attrs.get("GeoTransform")
    return None if stored is None else Affine.from_gdal(*map(float, stored.split()))


def _mapping_of(scene: xr.DataArray) -> xr.DataArray | None:
    """The coordinate with transform and CRS."""
    name = scene.encoding.get("grid_mapping", scene.attrs.get("grid_mapping", SPATIAL_REF))
    return scene.coords.get(name)


def _has_transform_only(scene: xr.DataArray, mapping: xr.DataArray | None) -> bool:
    """Whether `write_grid` wrote no CRS, and no other convention declares one."""
    if mapping is None or set(mapping.attrs) != {"GeoTransform"}:
        return False
    return not any(str(name).startswith(("crs", "proj", "zarr")) for name in scene.attrs)


def _rasterio_crs(wkt: str) -> RasterioCRS:
    """A CRS as GDAL understands it."""
    try:
        return RasterioCRS.from_user_input(wkt)
    except CRSError:  # GDAL does not know it; PROJ may
        return RasterioCRS.from_wkt(CRS.from_user_input(wkt).to_wkt())
