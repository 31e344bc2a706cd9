"""Which grid mapping of a netCDF file says where its cube lies, if there are several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from cf_cases import aviris_cube, write_netcdf
from emit_cases import NM
from pyproj import CRS

from hsi_geo.errors import SceneError
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.io.scenes.scene import open_scene

UTM, OTHER, WGS = CRS.from_epsg(32633), CRS.from_epsg(32632), CRS.from_epsg(4326)
PLACE = Affine(30, 0, 500000, 0, -20, 3800100)
PLACE_TEXT = {"GeoTransform": "500000 30 0 3800100 0 -20"}
OTHER_TEXT = {"GeoTransform": "7000 10 0 9000 0 -10"}

Attributes = dict[str, Any]


def parameters(crs: CRS) -> Attributes:
    """A CRS by the parameters of CF alone."""
    return {key: value for key, value in crs.to_cf().items() if key != "crs_wkt"}


def scene(
    mapping: str | None,
    variables: dict[str, Attributes],
    *,
    coordinates: bool = True,
    about: Attributes | None = None,
) -> xr.Dataset:
    """A cube that names a grid mapping, and variables with attributes beside it, in this order."""
    places = {
        "x": ("x", 500015.0 + 30 * np.arange(7), {"units": "m"}),
        "y": ("y", 3800090.0 - 20 * np.arange(5), {"units": "m"}),
    }
    made = xr.Dataset(
        {name: ((), 0, attributes) for name, attributes in variables.items()},
        {"wavelength": ("wavelength", NM, {"units": "nm"}), **(places if coordinates else {})},
        about or {},
    )
    named = {} if mapping is None else {"grid_mapping": mapping}
    made["reflectance"] = (("wavelength", "y", "x"), aviris_cube(), named)
    made["lat"] = (("y", "x"), np.full((5, 7), 34.0), {"units": "degrees_north"})
    made["lon"] = (("y", "x"), np.full((5, 7), 15.0), {"units": "degrees_east"})
    return made


CASES = {
    "parameters beside WKT of another": scene(
        "utm", {"a": OTHER.to_cf(), "utm": parameters(UTM), "wgs": WGS.to_cf()}
    ),
    "parameters beside WKT of the file": scene(
        "utm", {"utm": parameters(UTM)}, about={"spatial_ref": WGS.to_wkt()}
    ),
    "a code beside WKT of another": scene("utm", {"a": OTHER.to_cf(), "utm": {"epsg": 32633}}),
    "a code beside parameters that PROJ does not know": scene(
        "utm", {"utm": {"grid_mapping_name": "utm", "epsg_code": "EPSG:32633"}}
    ),
    "for coordinates, first": scene(
        "utm: x y wgs: lat lon", {"wgs": WGS.to_cf(), "utm": UTM.to_cf()}
    ),
    "for coordinates, last": scene(
        "wgs: lat lon utm: x y", {"wgs": WGS.to_cf(), "utm": UTM.to_cf()}
    ),
    "for coordinates, with spaces": scene(
        "wgs : lat lon utm : x y", {"wgs": WGS.to_cf(), "utm": parameters(UTM)}
    ),
    "own geotransform after another": scene(
        "utm",
        {"a": {**OTHER.to_cf(), **OTHER_TEXT}, "utm": {**parameters(UTM), **PLACE_TEXT}},
        coordinates=False,
    ),
    "geotransform of the file": scene(
        "utm",
        {"a": {**OTHER.to_cf(), **OTHER_TEXT}, "utm": parameters(UTM)},
        coordinates=False,
        about={"geotransform": [500000.0, 30.0, 0.0, 3800100.0, 0.0, -20.0]},
    ).drop_vars(["lat", "lon"]),
    "geotransform beside the same CRS": scene(
        None,
        {"a": OTHER_TEXT | parameters(OTHER), "utm": PLACE_TEXT | parameters(UTM)},
        coordinates=False,
        about={"crs_wkt": UTM.to_wkt()},
    ).drop_vars(["lat", "lon"]),
    "named and stating nothing": scene("utm", {"utm": {}, "other": UTM.to_cf()}),
    "named and missing": scene("utm", {"other": UTM.to_cf()}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_cube_lies_where_its_own_grid_mapping_says(tmp_path: Path, case: str) -> None:
    grid = grid_of(open_scene(write_netcdf(tmp_path / "a.nc", CASES[case])))
    assert grid.crs is not None
    assert grid.crs.to_epsg() == 32633
    assert grid.transform.almost_equals(PLACE)


def test_a_geotransform_in_another_crs_gives_no_place(tmp_path: Path) -> None:
    made = scene(
        "utm", {"a": OTHER.to_cf() | OTHER_TEXT, "utm": parameters(UTM)}, coordinates=False
    ).drop_vars(["lat", "lon"])
    opened = open_scene(write_netcdf(tmp_path / "a.nc", made))
    assert grid_of(opened).crs is None
    assert "its place is not known" in opened.attrs["warnings"][0]


def test_coordinates_in_metres_are_not_in_degrees(tmp_path: Path) -> None:
    opened = open_scene(write_netcdf(tmp_path / "a.nc", scene(None, {"wgs": WGS.to_cf()})))
    assert grid_of(opened).crs is None
    (warning,) = opened.attrs["warnings"]
    assert warning.startswith("its coordinates 'y' and 'x' are lengths, and its coordinate ref")


def test_an_own_grid_mapping_that_proj_does_not_know_is_refused(tmp_path: Path) -> None:
    made = scene("utm", {"a": OTHER.to_cf(), "utm": {"grid_mapping_name": "unheard_of"}})
    with pytest.raises(SceneError, match="a grid mapping that PROJ does not know"):
        open_scene(write_netcdf(tmp_path / "a.nc", made))


@pytest.mark.parametrize(
    ("name", "epsg"), [("crs", 32633), ("/a/crs", 32633), ("/b/crs", 32632), ("b/crs", 32632)]
)
def test_the_grid_mapping_of_the_nearest_group_counts(tmp_path: Path, name: str, epsg: int) -> None:
    path = tmp_path / "a.nc"
    xr.Dataset({"crs": ((), 0, WGS.to_cf())}).to_netcdf(path, engine="h5netcdf")
    for group, crs in (("b", OTHER), ("a", UTM)):
        made = scene(name, {"crs": crs.to_cf()}).drop_vars(["lat", "lon"])
        kept = made if group == "a" else made[["crs"]]
        kept.to_netcdf(path, engine="h5netcdf", mode="a", group=group)
    grid = grid_of(open_scene(path))
    assert grid.crs is not None
    assert grid.crs.to_epsg() == epsg
