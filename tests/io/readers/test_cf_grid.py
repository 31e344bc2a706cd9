"""Longitudes and latitudes of netCDF swaths, whose variables may have their axes in any order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from builders import cube_of, physical
from emit_cases import emit_lookup
from pyproj import CRS
from swath_cases import NM, Swath, make_swath

from hsi_geo.arrays import AnyArray
from hsi_geo.io.readers.cf_plane import Plane
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.io.scenes.scene import open_scene

#: Axes of the cube and of its places, by their names in a netCDF file.
ORDERS = {
    "rows first": ("byx", "yx"),
    "columns first": ("xyb", "xy"),
    "cube with columns first": ("xyb", "yx"),
    "places with columns first": ("byx", "xy"),
    "a time": ("byx", "tyx"),
}
SHAPES = {"square": (9, 9), "wide": (6, 9), "high": (10, 7)}


def write_swath(
    path: Path, swath: Swath, cube: AnyArray, orders: tuple[str, str], own_names: bool = False
) -> Path:
    """A swath whose longitudes and latitudes have the axes of the cube, or axes of other names."""
    dims = {"b": "wavelength", "y": "y", "x": "x", "t": "time"}
    values = xr.DataArray(cube, dims=("wavelength", "y", "x")).transpose(
        *(dims[letter] for letter in orders[0])
    )
    made = xr.Dataset({"reflectance": values, "wavelength": ("wavelength", NM, {"units": "nm"})})
    for name, numbers, unit in (
        ("lon", swath.lon, "degrees_east"),
        ("lat", swath.lat, "degrees_north"),
    ):
        along = xr.DataArray(numbers, dims=("y", "x")).expand_dims("time")
        along = along.transpose("time", *(dims[one] for one in orders[1] if one != "t"))
        along = along if "t" in orders[1] else along[0]
        if own_names:
            along = along.rename({"y": "n", "x": "m"})
        made[name] = along.assign_attrs(units=unit)
    made.to_netcdf(path, engine="h5netcdf")
    return path


def check_places(path: Path, swath: Swath, cube: AnyArray) -> None:
    """Each pixel has its own spectrum, longitude and latitude."""
    scene = open_scene(path, grid="swath")
    np.testing.assert_array_equal(scene.values, cube)
    frame = grid_of(scene).frame
    assert frame is not None
    assert frame.upright.crs is not None
    rows, cols = np.indices(swath.shape)
    found = frame.centres(cols.ravel(), rows.ravel())
    wanted = [one.ravel() for one in swath.project(frame.upright.crs)]
    np.testing.assert_allclose(found, wanted, atol=0.1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("orders", ORDERS)
def test_places_of_a_swath_are_found_by_the_names_of_their_axes(
    tmp_path: Path, shape: str, orders: str
) -> None:
    swath = make_swath(*SHAPES[shape])
    cube = cube_of(4, *SHAPES[shape])
    check_places(write_swath(tmp_path / "a.nc", swath, cube, ORDERS[orders]), swath, cube)


@pytest.mark.parametrize(
    ("shape", "orders"),
    [
        ("wide", ("byx", "yx")),
        ("wide", ("xyb", "yx")),
        ("high", ("byx", "xy")),
        ("square", ("byx", "yx")),
        ("square", ("xyb", "xy")),
    ],
)
def test_places_with_axes_of_other_names_are_found_by_their_lengths(
    tmp_path: Path, shape: str, orders: tuple[str, str]
) -> None:
    swath = make_swath(*SHAPES[shape])
    cube = cube_of(4, *SHAPES[shape])
    check_places(write_swath(tmp_path / "a.nc", swath, cube, orders, True), swath, cube)


def test_places_with_the_axes_of_the_cube_come_before_others_of_its_size(tmp_path: Path) -> None:
    swath, cube = make_swath(6, 9), cube_of(4, 6, 9)
    path = write_swath(tmp_path / "a.nc", swath, cube, ("byx", "yx"))
    with xr.open_dataset(path, engine="h5netcdf") as opened:
        made = opened.load()
    away = {f"corner_{one}": made[one].rename(y="n", x="m") + 3 for one in ("lon", "lat")}
    xr.Dataset({**away, **made}).to_netcdf(tmp_path / "b.nc", engine="h5netcdf")
    check_places(tmp_path / "b.nc", swath, cube)


def test_places_that_are_not_those_of_the_pixels_are_a_warning(tmp_path: Path) -> None:
    path = write_swath(tmp_path / "a.nc", make_swath(6, 9), cube_of(4, 6, 9), ("byx", "yx"))
    with xr.open_dataset(path, engine="h5netcdf") as opened:
        made = opened.load()
    for one in ("lon", "lat"):
        made[one] = made[one][::2, ::3].rename(y="tie_y", x="tie_x")
    made.to_netcdf(tmp_path / "b.nc", engine="h5netcdf")
    scene = open_scene(tmp_path / "b.nc")
    assert scene.shape == (4, 6, 9)
    assert list(scene.attrs["warnings"]) == [
        "its 'lon' and 'lat' have 3 x 3 pixels and the scene 6 x 9: not used, its place is not known"
    ]


@pytest.mark.parametrize("order", ["yx", "xy"])
@pytest.mark.parametrize("prefix", ["ortho_", ""])
def test_a_lookup_table_may_have_its_columns_first(tmp_path: Path, order: str, prefix: str) -> None:
    columns, rows = emit_lookup()
    cube = cube_of(4, int(rows.max()), int(columns.max()))
    dims = prefix + "y", prefix + "x"
    wanted = dims if order == "yx" else dims[::-1]
    made = xr.Dataset(
        {
            "radiance": (("wavelength", "lines", "samples"), cube),
            "glt_x": xr.DataArray(columns.astype("int32"), dims=dims).transpose(*wanted),
            "glt_y": xr.DataArray(rows.astype("int32"), dims=dims).transpose(*wanted),
        },
        {"wavelength": ("wavelength", NM, {"units": "nm"})},
        {
            "spatial_ref": CRS.from_epsg(32611).to_wkt(),
            "geotransform": [383472.5, 3.0, 0.0, 3818302.25, 0.0, -2.0],
        },
    )
    made.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    scene = open_scene(tmp_path / "a.nc")
    shown = columns > 0
    assert scene.shape[1:] == columns.shape
    np.testing.assert_array_equal(physical(scene)[1], shown)
    np.testing.assert_array_equal(
        scene.values[:, shown], cube[:, rows[shown] - 1, columns[shown] - 1]
    )


@pytest.mark.parametrize(
    ("dims", "sizes", "order"),
    [
        (("y", "x"), (4, 6), "yx"),
        (("x", "y"), (6, 4), "xy"),
        (("time", "x", "y"), (1, 6, 4), "1xy"),
        (("time", "x", "y"), (2, 6, 4), ""),
        (("x", "y"), (4, 6), ""),
        (("lines", "samples"), (4, 6), "yx"),
        (("n", "m"), (6, 4), "xy"),
        (("samples", "lines"), (4, 6), ""),
        (("n", "m"), (2, 6), ""),
        (("n",), (6,), ""),
    ],
    ids=str,
)
def test_the_axes_of_a_variable_are_those_of_the_cube(
    dims: tuple[str, ...], sizes: tuple[int, ...], order: str
) -> None:
    assert Plane(("y", "x"), (4, 6)).order_of(xr.Variable(dims, np.zeros(sizes))) == order
