"""Small netCDF files and Zarr stores: AVIRIS-3's layout, and what xarray and rioxarray write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rioxarray  # noqa: F401  (registers the .rio accessor)
import xarray as xr
from builders import cube_of
from emit_cases import FWHM, NM, emit_lookup, emit_swath
from pyproj import CRS

from hsi_geo.arrays import AnyArray

UTM = CRS.from_epsg(32611)


def aviris_cube() -> AnyArray:
    cube = cube_of(4, 5, 7, "float32")
    cube[:, 1, 2] = -9999.0
    return cube


def write_aviris(path: Path) -> Path:
    """The groups and names of AVIRIS-3 L2A RFL_ORT."""
    mapping = {
        "grid_mapping_name": "transverse_mercator",
        "crs_wkt": UTM.to_wkt(),
        "spatial_ref": UTM.to_wkt(),
        "GeoTransform": "383472.5 30 0 3818302.25 0 -20",
    }
    root = xr.Dataset(
        {"transverse_mercator": ((), b"", mapping)},
        {
            "easting": ("easting", 383472.5 + 30 * (np.arange(7) + 0.5), {"units": "m"}),
            "northing": ("northing", 3818302.25 - 20 * (np.arange(5) + 0.5), {"units": "m"}),
        },
    )
    group = xr.Dataset(
        {
            "reflectance": (
                ("wavelength", "northing", "easting"),
                aviris_cube(),
                {"grid_mapping": "transverse_mercator"},
            ),
            "fwhm": ("wavelength", np.array(FWHM), {"units": "nm"}),
        },
        {"wavelength": ("wavelength", np.array(NM), {"units": "nm"})},
    )
    root.to_netcdf(path, engine="h5netcdf")
    group.to_netcdf(
        path,
        engine="h5netcdf",
        mode="a",
        group="reflectance",
        encoding={"reflectance": {"_FillValue": -9999.0, "chunksizes": (2, 3, 7)}},
    )
    return path


def write_aviris_raw(path: Path) -> Path:
    """A flight line of AVIRIS-5 as it was flown, with its lookup table, as in L1B RDN."""
    columns, rows = emit_lookup()
    line = emit_swath().transpose(2, 0, 1)
    mapping = {"crs_wkt": UTM.to_wkt(), "GeoTransform": "383472.5 3 0 3818302.25 0 -3"}
    about = {"title": "AVIRIS-5 L1B Calibrated Radiance", "instrument": "AVIRIS-5"}
    root = xr.Dataset({"transverse_mercator": ((), b"", mapping)}, attrs=about)
    cube = xr.Dataset(
        {
            "radiance": (
                ("wavelength", "lines", "samples"),
                line,
                {"_FillValue": np.float32(-9999)},
            ),
            "fwhm": ("wavelength", np.array(FWHM), {"units": "nm"}),
        },
        {"wavelength": ("wavelength", np.array(NM), {"units": "nm"})},
    )
    table = xr.Dataset(
        {
            "sample": (("northing", "easting"), columns.astype("int32")),
            "line": (("northing", "easting"), rows.astype("int32")),
        }
    )
    root.to_netcdf(path, engine="h5netcdf")
    for group, part in (("radiance", cube), ("geolocation_lookup_table", table)):
        part.to_netcdf(path, engine="h5netcdf", mode="a", group=group)
    return path


def dataset(order: tuple[str, str, str] = ("wavelength", "y", "x"), **cube: Any) -> xr.Dataset:
    """A small scene as xarray and rioxarray would write it."""
    values = xr.DataArray(
        aviris_cube(),
        dims=("wavelength", "y", "x"),
        coords={
            "wavelength": ("wavelength", np.array(NM) / 1e3, {"units": "um"}),
            "x": 500015.0 + 30 * np.arange(7),
            "y": 3800010.0 + 20 * np.arange(5),
        },
        attrs=cube,
    )
    placed: xr.Dataset = values.transpose(*order).to_dataset(name="cube").rio.write_crs(UTM)
    return placed


def write_netcdf(path: Path, scene: xr.Dataset) -> Path:
    scene.to_netcdf(path, engine="h5netcdf")
    return path


def write_classic(path: Path, scene: xr.Dataset) -> Path:
    """A file of the time before netCDF-4."""
    scene.to_netcdf(path, engine="scipy")
    return path


@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
def write_zarr(path: Path, scene: xr.Dataset, version: int = 3) -> Path:
    pytest.importorskip("zarr", reason="needs the extra zarr")
    path = path.with_suffix(".zarr")
    scene.to_zarr(path, zarr_format=version, consolidated=version == 2)
    return path


Write = Callable[[Path, xr.Dataset], Path]
STORES: dict[str, Write] = {
    "netcdf": write_netcdf,
    "classic netcdf": write_classic,
    "zarr 3": write_zarr,
    "zarr 2": lambda path, scene: write_zarr(path, scene, 2),
}
