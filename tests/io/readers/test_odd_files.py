"""Files of a product that another program wrote: the same content in another order, type or notation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from builders import cube_of, physical
from pyproj import CRS
from swath_cases import (
    NM,
    write_pace_l1b,
    write_prisma_swath,
    write_tanager,
)

from hsi_geo.arrays import AnyArray
from hsi_geo.errors import SceneError
from hsi_geo.io.scenes.scene import open_scene

Change = Callable[[h5py.File], None]


def replace(file: h5py.File, name: str, values: AnyArray, **attributes: Any) -> None:
    """Write a dataset anew, with its attributes and others."""
    kept = dict(file[name].attrs)
    del file[name]
    data = file.create_dataset(name, data=values)
    data.attrs.update({**kept, **attributes})


def transposed(*names: str, axes: tuple[int, ...]) -> Change:
    def change(file: h5py.File) -> None:
        for name in names:
            replace(file, name, file[name][()].transpose(axes))

    return change


def attribute(name: str, key: str, value: Any) -> Change:
    def change(file: h5py.File) -> None:
        (file[name] if name else file).attrs[key] = value

    return change


def packed(*names: str, fill: int | None = None) -> Change:
    """Coordinates as whole numbers of a ten-millionth of a degree."""

    def change(file: h5py.File) -> None:
        for name in names:
            values = np.round(file[name][()].astype(float) * 1e7).astype("int32")
            more = {} if fill is None else {"_FillValue": np.int32(fill)}
            replace(file, name, values, scale_factor=1e-7, **more)

    return change


def assert_same(path: Path, expected: Path) -> None:
    found, wanted = open_scene(path), open_scene(expected)
    assert found.hsi.grid.crs == wanted.hsi.grid.crs
    assert found.hsi.grid.transform.almost_equals(wanted.hsi.grid.transform, 1e-6)
    values, valid = physical(found)
    expected_values, expected_valid = physical(wanted)
    np.testing.assert_array_equal(valid, expected_valid)
    close = np.isclose(values[:, valid], expected_values[:, valid], rtol=2e-3, atol=1e-4)
    assert close.all(axis=0).mean() > 0.998  # coordinates that are rounded decide a tie otherwise
    np.testing.assert_allclose(found["wavelength"], wanted["wavelength"])


# Tanager ------------------------------------------------------------------------------------------

GRID, SWATH = "HDFEOS/GRIDS/HYP", "HDFEOS/SWATHS/HYP"
PLACES = tuple(f"{SWATH}/Geolocation Fields/{name}" for name in ("Latitude", "Longitude"))


def whole_numbers(file: h5py.File, name: str) -> None:
    values = file[name][()]
    whole = np.where(values < -1, -9999, np.round(values * 1e4)).astype("int16")
    replace(file, name, whole, scale_factor=1e-4, _FillValue=np.int16(-9999))


def named_lower(file: h5py.File) -> None:
    for name in PLACES:
        file.move(name, name.replace("L", "l"))


def in_radians(file: h5py.File) -> None:
    for name in PLACES:
        replace(file, name, np.radians(file[name][()]), units="radians")


def reversed_rows(file: h5py.File) -> None:
    for name in PLACES:
        replace(file, name, file[name][()][::-1])
    fields = f"{SWATH}/Data Fields"
    for name in ("beta_cloud_mask", "beta_cirrus_mask", "nodata_pixels"):
        replace(file, f"{fields}/{name}", file[f"{fields}/{name}"][()][::-1])
    name = f"{fields}/surface_reflectance"
    replace(file, name, file[name][()][:, ::-1])


def cube_changes(group: str) -> dict[str, Change]:
    name = f"{group}/Data Fields/surface_reflectance"
    return {
        "bands last": transposed(name, axes=(1, 2, 0)),
        "bands in the middle": transposed(name, axes=(1, 0, 2)),
        "whole numbers": lambda file: whole_numbers(file, name),
        "no fill value": lambda file: file[name].attrs.__delitem__("_FillValue"),
        "NaN": lambda file: replace(
            file, name, np.where(file[name][()] < -1, np.nan, file[name][()]), _FillValue=np.nan
        ),
        "fill as text": attribute(name, "_FillValue", "-9999.0"),
        "big endian": lambda file: replace(file, name, file[name][()].astype(">f8")),
        "wavelengths as texts": attribute(name, "wavelengths", [str(nm) for nm in NM]),
        "wavelengths as one text": attribute(name, "wavelengths", "[460.0, 560.0, 660.0, 860.0]"),
        "flags as floats": lambda file: replace(
            file,
            f"{group}/Data Fields/beta_cloud_mask",
            file[f"{group}/Data Fields/beta_cloud_mask"][()].astype("float32"),
        ),
    }


ORTHO: dict[str, Change] = {
    **cube_changes(GRID),
    "EPSG as text": attribute(GRID, "epsg_code", "EPSG:32632"),
    "EPSG as float": attribute(GRID, "epsg_code", np.array([32632.0])),
}
BASIC: dict[str, Change] = {
    **cube_changes(SWATH),
    "small letters": named_lower,
    "packed coordinates": packed(*PLACES),
    "packed coordinates with fill": packed(*PLACES, fill=-(2**31)),
    "radians": in_radians,
    "rows from south to north": reversed_rows,
    "longitudes from 0 to -360": lambda file: replace(file, PLACES[1], file[PLACES[1]][()] - 360.0),
}


@pytest.mark.parametrize(
    ("ortho", "change"),
    [(True, name) for name in ORTHO] + [(False, name) for name in BASIC],
)
def test_tanager_otherwise_written(tmp_path: Path, ortho: bool, change: str) -> None:
    path = write_tanager(tmp_path / "odd.h5", ortho=ortho)
    with h5py.File(path, "a") as file:
        (ORTHO if ortho else BASIC)[change](file)
    assert_same(path, write_tanager(tmp_path / "usual.h5", ortho=ortho))


def test_stated_fill_values_of_coordinates_count(tmp_path: Path) -> None:
    """Also those that could be degrees."""
    path, usual = write_tanager(tmp_path / "odd.h5"), write_tanager(tmp_path / "usual.h5")
    for one, fill in ((path, -1.5), (usual, np.nan)):
        with h5py.File(one, "a") as file:
            for name in PLACES:
                values = file[name][()]
                values[:, :3] = fill
                replace(file, name, values, _FillValue=fill)
    assert_same(path, usual)


def test_flags_of_another_size_are_a_warning(tmp_path: Path) -> None:
    path = write_tanager(tmp_path / "a.h5")
    name = f"{SWATH}/Data Fields/beta_cloud_mask"
    with h5py.File(path, "a") as file:
        replace(file, name, file[name][()].T)
    warning = "its 'beta_cloud_mask' has 23 x 34 pixels and the scene 34 x 23: not used"
    assert warning in open_scene(path).attrs["warnings"]


# PRISMA and PACE ----------------------------------------------------------------------------------


def prisma_cubes(level: str) -> list[str]:
    return [f"HDFEOS/SWATHS/PRS_{level}_HCO/Data Fields/{part}_Cube" for part in ("VNIR", "SWIR")]


def lists_of_one(file: h5py.File) -> None:
    for key in list(file.attrs):
        if key.startswith(("L2Scale", "ScaleFactor", "Offset")):
            file.attrs[key] = np.array([file.attrs[key]])


@pytest.mark.parametrize("level", ["L1", "L2C"])
@pytest.mark.parametrize("change", ["byx", "yxb", "lists of one"])
def test_prisma_otherwise_written(tmp_path: Path, level: str, change: str) -> None:
    axes = {"byx": (1, 0, 2), "yxb": (0, 2, 1)}.get(change)
    path = write_prisma_swath(tmp_path / "odd.he5", level)
    with h5py.File(path, "a") as file:
        (transposed(*prisma_cubes(level), axes=axes) if axes else lists_of_one)(file)
    assert_same(path, write_prisma_swath(tmp_path / "usual.he5", level))


@pytest.mark.parametrize(
    ("level", "key", "value"),
    [
        ("L1", "ScaleFactor_Vnir", 0.0),
        ("L2C", "L2ScaleSwirMax", 0.0),
        ("L2C", "L2ScaleVnirMin", np.nan),
    ],
)
def test_prisma_scales_without_sense_are_refused(
    tmp_path: Path, level: str, key: str, value: float
) -> None:
    path = write_prisma_swath(tmp_path / "a.he5", level)
    with h5py.File(path, "a") as file:
        file.attrs[key] = value
    with pytest.raises(SceneError, match=key.removesuffix("Max").removesuffix("Min")):
        open_scene(path)


PACE_CUBES = tuple(f"observation_data/rhot_{part}" for part in ("blue", "red", "SWIR"))
PACE_PLACES = tuple(f"geolocation_data/{name}" for name in ("longitude", "latitude"))


@pytest.mark.parametrize("change", ["bands last", "no fill", "0 to 360", "packed"])
def test_pace_otherwise_written(tmp_path: Path, change: str) -> None:
    def no_fill(file: h5py.File) -> None:
        for name in PACE_CUBES:
            del file[name].attrs["_FillValue"]

    def eastward(file: h5py.File) -> None:
        values = file[PACE_PLACES[0]][()].astype(float)
        replace(file, PACE_PLACES[0], np.where(values < -1000, values, values + 360.0))

    def pack(file: h5py.File) -> None:
        for name in PACE_PLACES:
            values = file[name][()].astype(float)
            whole = np.where(values < -1000, -(2.0**31), np.round(values * 1e6)).astype("int32")
            replace(file, name, whole, scale_factor=1e-6, _FillValue=np.int32(-(2**31)))

    changes: dict[str, Change] = {
        "bands last": transposed(*PACE_CUBES, axes=(1, 2, 0)),
        "no fill": no_fill,
        "0 to 360": eastward,
        "packed": pack,
    }
    path = write_pace_l1b(tmp_path / "odd.nc")
    with h5py.File(path, "a") as file:
        changes[change](file)
    assert_same(path, write_pace_l1b(tmp_path / "usual.nc"))


# CF -----------------------------------------------------------------------------------------------

HEIGHT, WIDTH, COUNT = 20, 31, 6
DEGREES = (48.0 - 0.01 * np.arange(HEIGHT), 11.0 + 0.01 * np.arange(WIDTH))
METRES = (5e6 - 30.0 * np.arange(HEIGHT), 6e5 + 30.0 * np.arange(WIDTH))
CENTRES = np.linspace(450.0, 2200.0, COUNT)
UNITS = ({"units": "degrees_north"}, {"units": "degrees_east"})
UTM = CRS.from_epsg(32632).to_cf()


def cf_cube() -> AnyArray:
    cube = cube_of(COUNT, HEIGHT, WIDTH)
    cube[:, 2, 3] = -9999
    return cube


def write_cf(
    path: Path,
    *,
    names: tuple[str, str] = ("lat", "lon"),
    axes: tuple[AnyArray, AnyArray] = DEGREES,
    about: tuple[dict[str, Any], dict[str, Any]] = UNITS,
    order: str = "byx",
    centres: tuple[str, AnyArray, dict[str, Any]] = ("wavelength", CENTRES, {"units": "nm"}),
    mapping: dict[str, Any] | None = None,
    attributes: dict[str, Any] | None = None,
    file: dict[str, Any] | None = None,
) -> Path:
    dims = dict(zip("byx", ("band", *names), strict=True))
    values = cf_cube().transpose(["byx".index(letter) for letter in order])
    fill = {"_FillValue": np.int16(-9999)}
    cube = ([dims[letter] for letter in order], values, fill | (attributes or {}))
    dataset = xr.Dataset({"reflectance": cube}, attrs=file or {})
    for name, values_of, one in zip(names, axes, about, strict=True):
        dataset[name] = (name, values_of, one)
    dataset[centres[0]] = ("band", *centres[1:])
    if mapping is not None:
        dataset["reflectance"].attrs["grid_mapping"] = "crs"
        dataset["crs"] = ((), 0, mapping)
    dataset.to_netcdf(path, engine="h5netcdf")
    return path


def none(_: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
    return {}, {}


CF: dict[str, dict[str, Any]] = {
    "bands last": {"order": "yxb"},
    "x before y": {"order": "xyb"},
    "no units": {"about": none()},
    "standard names": {
        "names": ("j", "i"),
        "about": ({"standard_name": "latitude"}, {"standard_name": "longitude"}),
    },
    "long names": {"names": ("latitude", "longitude"), "about": none()},
    "micrometres": {"centres": ("wavelength", CENTRES / 1000, {"units": "um"})},
    "no unit of wavelengths": {"centres": ("Wavelength", CENTRES / 1000, {})},
}
CF_UTM: dict[str, dict[str, Any]] = {
    "attribute crs": {"file": {"crs": "EPSG:32632"}},
    "attribute epsg": {"file": {"epsg": 32632}},
    "epsg of the mapping": {"mapping": {"epsg_code": "EPSG:32632"}},
    "no WKT": {"mapping": {key: value for key, value in UTM.items() if key != "crs_wkt"}},
    "kilometres": {
        "axes": (METRES[0] / 1000, METRES[1] / 1000),
        "about": ({"units": "km"}, {"units": "km"}),
        "mapping": UTM,
    },
}


@pytest.mark.parametrize("change", CF)
def test_cf_otherwise_written(tmp_path: Path, change: str) -> None:
    assert_same(write_cf(tmp_path / "odd.nc", **CF[change]), write_cf(tmp_path / "usual.nc"))


@pytest.mark.parametrize("change", CF_UTM)
def test_cf_in_metres_otherwise_written(tmp_path: Path, change: str) -> None:
    common: dict[str, Any] = {"names": ("y", "x"), "axes": METRES, "about": none()}
    usual = write_cf(tmp_path / "usual.nc", **common, mapping=UTM)
    assert_same(write_cf(tmp_path / "odd.nc", **{**common, **CF_UTM[change]}), usual)


@pytest.mark.parametrize("text", ["WGS84", "UTM", "EPSG:99999999", "", 5, "32632"])
def test_a_datum_is_no_crs_of_a_grid(tmp_path: Path, text: Any) -> None:
    path = write_cf(
        tmp_path / "a.nc", names=("y", "x"), axes=METRES, about=none(), file={"crs": text}
    )
    assert open_scene(path).hsi.grid.crs is None


def write_cf_swath(
    path: Path, names: tuple[str, str] = ("lat", "lon"), *, packed_: bool = False, about: Any = None
) -> Path:
    lon, lat = np.meshgrid(DEGREES[1], DEGREES[0])
    lon = lon + 0.003 * np.arange(HEIGHT)[:, None]
    dataset = xr.Dataset(
        {"reflectance": (("band", "y", "x"), cf_cube(), {"_FillValue": np.int16(-9999)})}
    )
    dataset["wavelength"] = ("band", CENTRES, {"units": "nm"})
    for name, values, one in zip(names, (lat, lon), about or none(), strict=True):
        stored = np.round(values * 1e6).astype("int32") if packed_ else values
        more = {"scale_factor": 1e-6} if packed_ else {}
        dataset[name] = (("y", "x"), stored, {**one, **more})
    dataset.to_netcdf(path, engine="h5netcdf")
    return path


@pytest.mark.parametrize(
    "given",
    [
        {"names": ("Latitude", "Longitude")},
        {"names": ("nav_lat", "nav_lon"), "about": CF["standard names"]["about"]},
        {"names": ("XLAT", "XLONG"), "about": UNITS},
        {"packed_": True},
    ],
    ids=["capitals", "standard names", "units", "packed"],
)
def test_cf_swaths_otherwise_written(tmp_path: Path, given: dict[str, Any]) -> None:
    usual = write_cf_swath(tmp_path / "usual.nc")
    assert_same(write_cf_swath(tmp_path / "odd.nc", **given), usual)
