"""NetCDF and Zarr variables that are packed, or hold unsigned integers in a signed type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from affine import Affine
from builders import physical
from cf_cases import STORES, dataset, write_netcdf
from emit_cases import FWHM, NM

from hsi_geo.arrays import AnyArray
from hsi_geo.io.readers import read_scene
from hsi_geo.io.readers.cf_stored import declared_attributes, declared_dtype, physical_values
from hsi_geo.io.scenes.properties import bands_of, grid_of
from hsi_geo.io.scenes.scene import open_scene

Packing = tuple[str, float, float]


def packed(dim: str, values: Any, packing: Packing, **attributes: Any) -> xr.Variable:
    """A variable whose values are stored in a type, with a scale and an offset."""
    dtype, scale, offset = packing
    stored = np.round((np.asarray(values) - offset) / scale).astype(dtype)
    return xr.Variable(dim, stored, {"scale_factor": scale, "add_offset": offset, **attributes})


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize(
    ("x", "y"),
    [
        (("int32", 0.5, 0.0), ("int32", 0.25, 0.0)),
        (("int16", 15.0, 500000.0), ("int16", -5.0, 3800000.0)),
        (("uint16", 1.0, 499000.0), ("float32", 10.0, 3800000.0)),
    ],
)
def test_packed_places_are_unpacked(tmp_path: Path, store: str, x: Packing, y: Packing) -> None:
    scene = dataset()
    scene["x"], scene["y"] = packed("x", scene["x"], x), packed("y", scene["y"], y)
    grid = grid_of(open_scene(STORES[store](tmp_path / "a.nc", scene)))
    assert grid.transform.almost_equals(Affine(30, 0, 500000, 0, 20, 3800000))
    assert grid.crs is not None


@pytest.mark.parametrize("packing", [("int32", 0.005, 0.0), ("int16", 0.005, 10.0)])
def test_packed_degrees_are_unpacked(tmp_path: Path, packing: Packing) -> None:
    scene = dataset().drop_vars("spatial_ref").rename(y="lat", x="lon")
    scene["cube"].encoding.clear()
    scene["lat"] = packed("lat", 50 - 0.01 * np.arange(5), packing, units="degrees_north")
    scene["lon"] = packed("lon", 13 + 0.02 * np.arange(7), packing, units="degrees_east")
    grid = grid_of(open_scene(write_netcdf(tmp_path / "a.nc", scene)))
    assert grid.crs is not None
    assert grid.crs.to_epsg() == 4326
    assert grid.transform.almost_equals(Affine(0.02, 0, 12.99, 0, -0.01, 50.005))


def test_radians_are_degrees(tmp_path: Path) -> None:
    scene = dataset().drop_vars("spatial_ref").rename(y="lat", x="lon")
    scene["cube"].encoding.clear()
    scene["lat"] = ("lat", np.radians(50 - 0.01 * np.arange(5)), {"units": "radian"})
    scene["lon"] = ("lon", np.radians(13 + 0.02 * np.arange(7)), {"units": "radian"})
    grid = grid_of(open_scene(write_netcdf(tmp_path / "a.nc", scene)))
    assert grid.crs is not None
    assert grid.transform.almost_equals(Affine(0.02, 0, 12.99, 0, -0.01, 50.005))


@pytest.mark.parametrize(
    ("centres", "widths"),
    [
        (("uint16", 0.1, 0.0), ("int16", 0.01, 0.0)),
        (("int16", 0.1, 2000.0), ("uint8", 0.1, 1.0)),
        (("int32", 0.001, 100.0), ("float64", 0.001, 0.0)),
    ],
)
def test_packed_wavelengths_and_widths_are_unpacked(
    tmp_path: Path, centres: Packing, widths: Packing
) -> None:
    scene = dataset()
    scene["wavelength"] = packed("wavelength", NM, centres, units="nm")
    scene["fwhm"] = packed("wavelength", FWHM, widths, units="nm")
    opened = open_scene(write_netcdf(tmp_path / "a.nc", scene))
    bands = bands_of(opened)
    np.testing.assert_allclose(bands.centres_nm, NM, atol=0.06)
    np.testing.assert_allclose(bands.fwhm_nm, FWHM, atol=0.06)
    assert not opened.attrs.get("warnings")


def test_the_fill_value_of_packed_widths_is_no_width(tmp_path: Path) -> None:
    scene, fill = dataset(), np.int16(-32768)  # 8.32 nm if it were unpacked
    widths = packed("wavelength", FWHM, ("int16", 0.01, 336.0), units="nm", _FillValue=fill)
    widths[3] = fill
    scene["fwhm"] = widths
    found = bands_of(open_scene(write_netcdf(tmp_path / "a.nc", scene))).fwhm_nm
    np.testing.assert_allclose(found[:3], FWHM[:3])
    assert found[3] != pytest.approx(8.32)


# Unsigned integers in a signed type --------------------------------------------------------------


def numbers() -> AnyArray:
    """(4, 5, 7) numbers of 16 bits, half of them above the largest signed one."""
    return (np.arange(140).reshape(4, 5, 7) * 468).astype("uint16")


def unsigned(**attributes: Any) -> xr.Dataset:
    scene = dataset()
    stored = numbers().view("int16")
    scene["cube"] = (("wavelength", "y", "x"), stored, {"_Unsigned": "true", **attributes})
    return scene


@pytest.mark.parametrize("store", STORES)
def test_unsigned_cubes_are_read_as_they_are_meant(tmp_path: Path, store: str) -> None:
    scene = open_scene(STORES[store](tmp_path / "a.nc", unsigned(scale_factor=0.5)))
    assert scene.dtype == np.uint16
    np.testing.assert_array_equal(scene.values, numbers())
    np.testing.assert_allclose(physical(scene)[0], numbers() * 0.5)


#: Values of row 1, in all bands.
SPECIAL = (7, 300, 32767, 40000, 50000, 65534, 65535)


@pytest.mark.parametrize(
    ("attributes", "missing"),
    [
        ({"_FillValue": np.int16(-1)}, {65535}),
        ({"_FillValue": np.int16(-1), "missing_value": np.int16(40000 - 65536)}, {40000, 65535}),
        ({"valid_max": np.int16(50000 - 65536)}, {65534, 65535}),
        ({"valid_range": np.array([300, -25536], "int16")}, {7, 50000, 65534, 65535}),
        ({"valid_range": np.array([300, 40000], "int32")}, {7, 50000, 65534, 65535}),
        ({"scale_factor": 0.1, "valid_range": np.array([30.0, 4000.0])}, {7, 50000, 65534, 65535}),
    ],
)
def test_missing_values_of_unsigned_cubes_are_unsigned(
    tmp_path: Path, attributes: dict[str, Any], missing: set[int]
) -> None:
    scene = unsigned(**attributes)
    scene["cube"].values[:, 1] = np.array(SPECIAL, "uint16").view("int16")
    opened = open_scene(write_netcdf(tmp_path / "a.nc", scene))
    expected = np.ones((5, 7), bool)
    expected[1] = [value not in missing for value in SPECIAL]
    np.testing.assert_array_equal(physical(opened)[1], expected)


def test_unsigned_coordinates_and_swaths(tmp_path: Path) -> None:
    """The places of rows, columns and single pixels follow ``_Unsigned`` as the cube does."""
    scene = dataset()
    x = (np.arange(7) * 6000 + 20000).astype("uint16")  # the largest signed number is passed
    about = {"_Unsigned": "true", "scale_factor": 0.005, "add_offset": 499915.0}
    scene["x"] = ("x", x.view("int16"), about)
    grid = grid_of(open_scene(write_netcdf(tmp_path / "a.nc", scene)))
    assert grid.transform.almost_equals(Affine(30, 0, 500000, 0, 20, 3800000))
    swaths = []
    for name, dtype, attributes in (("b", "int16", {"_Unsigned": "true"}), ("c", "uint16", {})):
        swath = dataset().drop_vars(["x", "y", "spatial_ref"])
        swath["cube"].encoding.clear()
        for place, first in (("lat", 30000), ("lon", 32700)):
            stored = (first + np.arange(35).reshape(5, 7)).astype("uint16")
            if place == "lat":
                stored = (first + 10 * np.arange(35).reshape(7, 5).T).astype("uint16")
            about = {
                "scale_factor": 0.001,
                "_FillValue": np.dtype(dtype).type(-1 if dtype == "int16" else 65535),
            }
            swath[place] = (("y", "x"), stored.view(dtype), about | attributes)
        swaths.append(grid_of(open_scene(write_netcdf(tmp_path / f"{name}.nc", swath))))
    assert swaths[0].transform == swaths[1].transform
    assert swaths[0].crs == swaths[1].crs


@pytest.mark.parametrize(
    ("stored", "said", "declared"),
    [
        *(("int8", said, "uint8") for said in ("true", "TRUE", b"true")),
        ("int16", "true", "uint16"),
        (">i4", "true", ">u4"),
        ("uint8", "false", "int8"),
        ("uint16", "true", "uint16"),
        ("int16", "false", "int16"),
        ("float32", "true", "float32"),
        ("int16", "maybe", "int16"),
    ],
)
def test_the_declared_sign(stored: str, said: str | bytes, declared: str) -> None:
    array = xr.DataArray(np.array([1, -1]).astype(stored), attrs={"_Unsigned": said})
    assert declared_dtype(array) == np.dtype(declared)
    expected = np.array([1, -1]).astype(stored).astype(declared).astype(float)
    np.testing.assert_array_equal(physical_values(array), expected)


def test_numbers_that_the_type_cannot_hold_stay() -> None:
    array = xr.DataArray(np.zeros(2, "int8"), attrs={"_Unsigned": "true", "_FillValue": -9999})
    assert declared_attributes(array)["_FillValue"] == -9999


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_texts_that_are_declared_as_ascii_need_not_be(tmp_path: Path, encoding: str) -> None:
    path = write_netcdf(tmp_path / "s.nc", dataset())
    expected = open_scene(path)
    with h5py.File(path, "r+") as file:
        for name, key, text in (
            ("spatial_ref", "crs_wkt", expected.rio.crs.to_wkt(version="WKT2_2019")),
            ("wavelength", "units", "µm"),
        ):
            text = text.replace("UTM zone 11N", "UTM zone 11N (120°W)")
            file[name].attrs[key] = np.bytes_(text.encode(encoding))
            assert not text.isascii()
        file.attrs["title"] = np.bytes_("Süd".encode(encoding))
    scene = open_scene(path)
    np.testing.assert_allclose(scene["wavelength"], expected["wavelength"])
    assert grid_of(scene).transform == grid_of(expected).transform
    assert scene.rio.crs.to_epsg() == 32611
    assert "Süd" in read_scene(path).driver
