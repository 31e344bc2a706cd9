"""Coordinates of netCDF scenes that are named otherwise than the axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from cf_cases import STORES, UTM, aviris_cube, write_netcdf
from emit_cases import NM

from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.io.scenes.scene import open_scene

EAST, NORTH = 500015.0 + 30 * np.arange(7), 3800090.0 - 20 * np.arange(5)
LON, LAT = 13.01 + 0.02 * np.arange(7), 50.005 - 0.01 * np.arange(5)
PLANE = Affine(30, 0, 500000, 0, -20, 3800100)
DEGREES = Affine(0.02, 0, 13, 0, -0.01, 50.01)

Attributes = dict[str, Any]
Axis = tuple[str, Any, Attributes]


def scene(rows: list[Axis], columns: list[Axis], crs: Any = UTM, **cube: Any) -> xr.Dataset:
    """A cube on the axes bands, rows and cols, with variables (name, values, attributes) along them."""
    values = ("bands", "rows", "cols"), aviris_cube(), {"_FillValue": np.float32(-9999), **cube}
    made = xr.Dataset({"reflectance": values, "wavelength": ("bands", NM, {"units": "nm"})})
    for dim, variables in (("rows", rows), ("cols", columns)):
        for name, numbers, attributes in variables:
            made[name] = (dim, numbers, attributes)
    if crs is not None:
        made["crs"] = ((), 0, crs.to_cf())
        made["reflectance"].attrs["grid_mapping"] = "crs"
    return made


def plane(x: str, y: str, about_x: Attributes, about_y: Attributes) -> dict[str, Any]:
    return {"rows": [(y, NORTH, about_y)], "columns": [(x, EAST, about_x)]}


def degrees(lon: str, lat: str, about_lon: Attributes, about_lat: Attributes) -> dict[str, Any]:
    return {"rows": [(lat, LAT, about_lat)], "columns": [(lon, LON, about_lon)]}


STANDARD = (
    {"standard_name": "projection_x_coordinate", "units": "m"},
    {"standard_name": "projection_y_coordinate", "units": "m"},
)
TIME = ("time", np.arange(5.0) ** 2, {"units": "s", "standard_name": "time"})
ON_MAP = {
    "standard names": plane("u", "v", *STANDARD),
    "CF's axes": plane("u", "v", {"axis": "X"}, {"axis": "Y"}),
    "names": plane("x", "y", {}, {}),
    "other names": plane("Easting", "northing", {"units": "metre"}, {"units": "metre"}),
    "named by the cube": {**plane("u", "v", {"units": "m"}, {"units": "m"}), "coordinates": "v u"},
    "kilometres": {
        "rows": [("yc", NORTH / 1e3, {"units": "km"})],
        "columns": [("xc", EAST / 1e3, {"units": "km"})],
    },
    "degrees beside": {
        "rows": [("lat", LAT, {}), ("y", NORTH, {})],
        "columns": [("lon", LON, {}), ("x", EAST, {})],
    },
    "numbers of rows": {
        "rows": [("rows", np.arange(5), {}), ("y", NORTH, {})],
        "columns": [("cols", np.arange(7), {}), ("x", EAST, {})],
    },
    "only one other name": {
        "rows": [("rows", NORTH, {})],
        "columns": [("x", EAST, {})],
    },
    "time along the rows": {
        "rows": [TIME, ("v", NORTH, {"units": "m"})],
        "columns": [("u", EAST, {"units": "m"})],
        "coordinates": "time v u",
    },
}
ON_EARTH = {
    "units": degrees("u", "v", {"units": "degrees_east"}, {"units": "degrees_north"}),
    "standard names": degrees(
        "u",
        "v",
        {"standard_name": "longitude", "units": "degrees"},
        {"standard_name": "latitude", "units": "degrees"},
    ),
    "names": degrees("lon", "lat", {}, {}),
    "long names": degrees("Longitude", "Latitude", {"units": "degree"}, {"units": "degree"}),
}


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("case", ON_MAP)
def test_coordinates_along_the_axes_are_found(tmp_path: Path, store: str, case: str) -> None:
    opened = open_scene(STORES[store](tmp_path / "a.nc", scene(**ON_MAP[case])))
    grid = grid_of(opened)
    assert grid.transform.almost_equals(PLANE)
    assert grid.crs is not None
    assert grid.crs.to_epsg() == 32611
    assert not opened.attrs.get("warnings")


@pytest.mark.parametrize("case", ON_EARTH)
def test_degrees_along_the_axes_are_found(tmp_path: Path, case: str) -> None:
    grid = grid_of(open_scene(write_netcdf(tmp_path / "a.nc", scene(**ON_EARTH[case], crs=None))))
    assert grid.transform.almost_equals(DEGREES)
    assert grid.crs is not None
    assert grid.crs.to_epsg() == 4326


def test_the_longitude_of_each_pixel_comes_before_metres_without_a_crs(tmp_path: Path) -> None:
    made = scene(**ON_MAP["names"], crs=None)
    lon, lat = np.meshgrid(LON, LAT)
    made["lon"], made["lat"] = (("rows", "cols"), lon), (("rows", "cols"), lat)
    assert grid_of(open_scene(write_netcdf(tmp_path / "a.nc", made))).crs is not None


@pytest.mark.parametrize(
    "axes",
    [
        {"rows": [], "columns": []},
        {"rows": [("rows", NORTH, {})], "columns": []},
        ON_EARTH["units"],  # no metres
        {"rows": [TIME], "columns": [("gain", EAST, {})], "coordinates": "time gain"},
        {"rows": [("y", np.arange(5), {})], "columns": [("x", np.arange(7), {})]},
    ],
)
def test_a_crs_without_usable_coordinates_is_a_warning(tmp_path: Path, axes: Any) -> None:
    opened = open_scene(write_netcdf(tmp_path / "a.nc", scene(**axes)))
    grid = grid_of(opened)
    assert grid.crs is None
    assert grid.transform == Affine.identity()
    assert "'rows' and 'cols'" in opened.attrs["warnings"][0]
    assert "its place is not known" in opened.attrs["warnings"][0]
