"""Forms in which files of a product differ: types of attributes, order of bands and axes, names, fill values.

Each form says the same as the usual one, so the scene has to be the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from builders import cube_of, physical
from library_cases import NM as LIBRARY_NM
from library_cases import sig_text, spectra
from product_cases import enmap_xml, write_enmap, write_neon
from swath_cases import (
    NM,
    TANAGER_GOOD,
    UTM,
    write_pace_l1b,
    write_pace_l2,
    write_prisma_swath,
    write_tanager,
)

from hsi_geo.arrays import AnyArray
from hsi_geo.errors import SceneError
from hsi_geo.io.labels.library_files import read_library
from hsi_geo.io.scenes.declared_values import SCALE, by_band
from hsi_geo.io.scenes.mask_option import masked_counts
from hsi_geo.io.scenes.properties import bands_of
from hsi_geo.io.scenes.scene import open_scene

Change = Callable[[h5py.File], None]

TANAGER = "HDFEOS/SWATHS/HYP/Data Fields/surface_reflectance"
PLACES = "HDFEOS/SWATHS/HYP/Geolocation Fields"
ORTHO = "HDFEOS/GRIDS/HYP"
NEON = "SJER/Reflectance"
PRISMA = "HDFEOS/SWATHS/PRS_L2C_HCO/Geolocation Fields"


def stored_as(dataset: str, convert: Callable[[AnyArray], AnyArray], **attributes: Any) -> Change:
    """Store a dataset in another way, with attributes that undo it."""

    def change(file: h5py.File) -> None:
        values, kept = file[dataset][()], dict(file[dataset].attrs)
        del file[dataset]
        new = file.create_dataset(dataset, data=convert(values))
        new.attrs.update(kept | attributes)

    return change


def attributes(place: str, **values: Any) -> Change:
    def change(file: h5py.File) -> None:
        file[place].attrs.update(values)

    return change


def renamed(group: str, **names: str) -> Change:
    def change(file: h5py.File) -> None:
        for old, new in names.items():
            file[group].move(old, new)

    return change


def moved_code(file: h5py.File) -> None:
    cube = file[f"{ORTHO}/Data Fields/surface_reflectance"]
    cube.attrs["epsg_code"] = file[ORTHO].attrs["epsg_code"]
    del file[ORTHO].attrs["epsg_code"]


def without_fill(file: h5py.File) -> None:
    values = file[TANAGER][()]
    file[TANAGER][...] = np.where(values == -9999, np.nan, values)
    del file[TANAGER].attrs["_FillValue"]


def packed(values: AnyArray) -> AnyArray:
    return np.where(values == -9999, -9999, np.round(values * 1e4)).astype("int16")


def neon_system(**texts: bytes | int) -> Change:
    def change(file: h5py.File) -> None:
        system = file[f"{NEON}/Metadata/Coordinate_System"]
        del system["EPSG Code"]
        for name, text in texts.items():
            system[name.replace("EPSG_Code", "EPSG Code")] = text

    return change


TANAGER_FORMS: dict[str, Change] = {
    "good bands in int16": attributes(TANAGER, good_wavelengths=np.array(TANAGER_GOOD, "int16")),
    "good bands in float": attributes(TANAGER, good_wavelengths=np.array(TANAGER_GOOD, "float64")),
    "good bands in bool": attributes(TANAGER, good_wavelengths=np.array(TANAGER_GOOD, bool)),
    "good bands as text": attributes(TANAGER, good_wavelengths="1, 1, 0, 1"),
    "micrometres": attributes(
        TANAGER, wavelengths=np.array(NM) / 1000, fwhm=np.array([5.0, 5.5, 6.0, 6.5]) / 1000
    ),
    "fill as text": attributes(TANAGER, _FillValue=b"-9999"),
    "fill as a list": attributes(TANAGER, _FillValue=np.array([-9999.0])),
    "NaN without a fill": without_fill,
    "packed in int16": stored_as(
        TANAGER, packed, _FillValue=np.int16(-9999), scale_factor=np.array([1e-4]), add_offset="0"
    ),
    "bands last": stored_as(TANAGER, lambda v: v.transpose(1, 2, 0)),
    "bands between": stored_as(TANAGER, lambda v: v.transpose(1, 0, 2)),
    "places in small letters": renamed(PLACES, Latitude="latitude", Longitude="longitude"),
    "other numbers in a mask": stored_as(
        TANAGER.replace("surface_reflectance", "beta_cloud_mask"), lambda v: np.where(v == 1, 3, v)
    ),
}

ORTHO_FORMS: dict[str, Change] = {
    "code as text": attributes(ORTHO, epsg_code="EPSG:32632"),
    "code as bytes": attributes(ORTHO, epsg_code=b"32632"),
    "code at the cube": moved_code,
}

NEON_FORMS: dict[str, Change] = {
    "numbers as text": attributes(
        f"{NEON}/Reflectance_Data", Data_Ignore_Value="-9999", Scale_Factor=b"10000"
    ),
    "numbers as lists": attributes(
        f"{NEON}/Reflectance_Data",
        Data_Ignore_Value=np.array([-9999]),
        Scale_Factor=np.array([10000], "int32"),
    ),
    "windows as text": attributes(NEON, Band_Window_1_Nanometers=b"1340, 1445"),
    "code as a number": neon_system(EPSG_Code=32611),
    "code with its name": neon_system(EPSG_Code=b"EPSG:32611"),
    "a CRS in words": neon_system(Coordinate_System_String=b"EPSG:32611"),
    "a CRS by its parameters": neon_system(Proj4=b"+proj=utm +zone=11 +datum=WGS84 +units=m"),
    "micrometres": stored_as(
        f"{NEON}/Metadata/Spectral_Data/Wavelength", lambda v: v / 1000, Units="micrometers"
    ),
}

PRISMA_FORMS: dict[str, Change] = {
    "limits as a list": lambda file: file.attrs.update(L2ScaleVnirMax=np.array([0.5])),
    "limits as text": lambda file: file.attrs.update(L2ScaleVnirMin=b"0.0"),
}

FORMS = [
    *((write_tanager, name, form) for name, form in TANAGER_FORMS.items()),
    *(
        (lambda path: write_tanager(path, ortho=True), name, form)
        for name, form in ORTHO_FORMS.items()
    ),
    *((write_neon, name, form) for name, form in NEON_FORMS.items()),
    *((write_prisma_swath, name, form) for name, form in PRISMA_FORMS.items()),
]


def assert_same(found: xr.DataArray, expected: xr.DataArray) -> None:
    assert found.hsi.grid.transform.almost_equals(expected.hsi.grid.transform, 1e-6)
    assert found.hsi.grid.crs.equals(expected.hsi.grid.crs)
    (image, valid), (own, own_valid) = physical(found), physical(expected)
    np.testing.assert_array_equal(valid, own_valid)
    np.testing.assert_allclose(image, own, atol=6e-5)
    bands, own_bands = bands_of(found), bands_of(expected)
    np.testing.assert_allclose(bands.centres_nm, own_bands.centres_nm, rtol=1e-6)
    np.testing.assert_allclose(bands.fwhm_nm, own_bands.fwhm_nm, rtol=1e-6)
    np.testing.assert_array_equal(bands.good, own_bands.good)
    assert masked_counts(found) == masked_counts(expected)


@pytest.mark.parametrize(("write", "name", "change"), FORMS, ids=[name for _, name, _ in FORMS])
def test_a_form_says_the_same(
    write: Callable[[Path], Path], name: str, change: Change, tmp_path: Path
) -> None:
    usual, other = write(tmp_path / "usual.h5"), write(tmp_path / "other.h5")
    with h5py.File(other, "r+") as file:
        change(file)
    assert_same(open_scene(other), open_scene(usual))


@pytest.mark.parametrize("write", [write_tanager, write_pace_l1b, write_pace_l2])
@pytest.mark.parametrize("flip", [(1, -1), (-1, 1), (-1, -1)])
def test_the_direction_of_flight_does_not_matter(
    write: Callable[[Path], Path], flip: tuple[int, int], tmp_path: Path
) -> None:
    """All arrays of a file are turned, so each pixel keeps its place. At edges, pixels lie equally near."""
    usual, other = write(tmp_path / "usual.h5"), write(tmp_path / "other.h5")
    with h5py.File(other, "r+") as file:
        shape = 34, 23
        images = []
        file.visititems(
            lambda name, one: images.append(name) if set(shape) <= set(getattr(one, "shape", ())) else None
        )  # fmt: skip
        for name in images:
            axes = [file[name].shape.index(size) for size in shape]
            values = file[name][()]
            for axis, step in zip(axes, flip, strict=True):
                values = np.flip(values, axis) if step < 0 else values
            file[name][...] = values
    found, expected = open_scene(other), open_scene(usual)
    assert found.hsi.grid.transform.almost_equals(expected.hsi.grid.transform, 1e-6)
    (image, valid), (own, own_valid) = physical(found), physical(expected)
    assert (valid != own_valid).mean() < 0.01
    both = valid & own_valid
    assert (image != own)[:, both].any(axis=0).mean() < 0.02


def test_bands_from_long_to_short_wavelengths(tmp_path: Path) -> None:
    usual, other = write_tanager(tmp_path / "usual.h5"), write_tanager(tmp_path / "other.h5")
    with h5py.File(other, "r+") as file:
        data = file[TANAGER]
        data[...] = data[()][::-1]
        for key in ("wavelengths", "fwhm", "good_wavelengths"):
            data.attrs[key] = data.attrs[key][::-1]
    assert_same(open_scene(other)[::-1], open_scene(usual))


@pytest.mark.parametrize("fill", [-9999.0, -32767.0, 0.0, np.nan, 1e36])
def test_places_that_are_missing_are_no_places(fill: float, tmp_path: Path) -> None:
    """0 in both is a place in the sea off Africa, where no other pixel lies."""
    usual, other = write_prisma_swath(tmp_path / "usual.he5"), tmp_path / "other.he5"
    write_prisma_swath(other)
    with h5py.File(other, "r+") as file:
        for name in ("Latitude", "Longitude"):
            file[f"{PRISMA}/{name}"][:2] = fill
    found, expected = open_scene(other), open_scene(usual)
    assert found.hsi.grid.crs.equals(UTM)
    left, bottom, right, top = expected.hsi.grid.bounds
    inside = found.hsi.grid.bounds
    assert left - 30 <= inside[0] < inside[2] <= right + 30
    assert bottom - 30 <= inside[1] < inside[3] <= top
    assert physical(found)[1].sum() > 0.8 * physical(expected)[1].sum()


def test_neons_radiance_is_refused(tmp_path: Path) -> None:
    path = write_neon(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file.move("SJER/Reflectance", "SJER/Radiance")
        file.move("SJER/Radiance/Reflectance_Data", "SJER/Radiance/RadianceIntegerPart")
    with pytest.raises(SceneError, match=r"is NEON's radiance, .*; give the reflectance"):
        open_scene(path)


# Numbers in texts --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gain", "wrong"),
    [("0.0001", False), ("0,0001", False), ("1e-4", False), ("", True), ("n/a", True)],
)
def test_enmaps_gains_are_numbers_or_refused(gain: str, wrong: bool, tmp_path: Path) -> None:
    """A product with the gains of some bands only would have values of two scales."""
    tag = "<GainOfBand>0.0001</GainOfBand>"
    path = write_enmap(tmp_path / "a", enmap_xml().replace(tag, tag.replace("0.0001", gain), 1))
    if wrong:
        with pytest.raises(SceneError, match="'GainOfBand' of band 1 is no number"):
            open_scene(path)
    else:
        assert_same(open_scene(path), open_scene(write_enmap(tmp_path / "b")))


@pytest.mark.parametrize("form", ["usual", "tabs", "CRLF", "commas", "decimal commas"])
def test_forms_of_svc(form: str, tmp_path: Path) -> None:
    text = sig_text(spectra()[1])
    head, mark, data = text.partition("data= ")
    data = {
        "usual": data,
        "tabs": data.replace("  ", "\t"),
        "CRLF": data.replace("\n", "\r\n"),
        "commas": data.replace("  ", ", "),
        "decimal commas": data.replace(".", ","),
    }[form]
    (tmp_path / "a.sig").write_text(f"{head}{mark}{data}", newline="")
    (one,) = read_library(tmp_path / "a.sig")
    np.testing.assert_allclose(one.centres_nm, LIBRARY_NM)
    np.testing.assert_allclose(one.values, spectra()[1], atol=1e-5)


# AVIRIS's gains ----------------------------------------------------------------------------------

AVIRIS = "f130522t01p00r11rdn_e"


@pytest.mark.parametrize(
    ("name", "text", "factors", "warned"),
    [
        (AVIRIS, "300 1\n300 2\n1200 3\n", [1 / 300, 1 / 300, 1 / 1200], False),
        (AVIRIS, "300.0000\n600.0000\n1200.0000", [1 / 300, 1 / 600, 1 / 1200], False),
        ("another_flight", "300 1\n300 2\n1200 3\n", [1, 1, 1], False),
        (AVIRIS, "300 1\n300 2\n", [1, 1, 1], True),
        (AVIRIS, "300 1\n0 2\n1200 3", [1, 1, 1], True),
        (AVIRIS, "no numbers\n\n", [1, 1, 1], True),
    ],
)
def test_aviris_is_divided_by_its_gains(
    name: str, text: str, factors: list[float], warned: bool, tmp_path: Path
) -> None:
    stored = cube_of(3).astype(">i2")
    header = (
        "samples = 7\nlines = 5\nbands = 3\ndata type = 2\ninterleave = bsq\nbyte order = 1\n"
        "map info = {UTM, 1, 1, 5e5, 4e6, 15, 15, 11, North, WGS-84, units=Meters, rotation=-13}\n"
        "wavelength = {450, 550, 660}\nwavelength units = Nanometers\n"
    )
    path = tmp_path / f"{AVIRIS}_sc01_ort_img"
    path.write_bytes(stored.tobytes())
    Path(f"{path}.hdr").write_text(f"ENVI\n{header}")
    (tmp_path / f"{name}.gain").write_text(text)
    scene = open_scene(path)
    np.testing.assert_allclose(by_band(scene, SCALE, 1.0), factors)
    warnings = scene.attrs.get("warnings", ())
    assert [f"its '{name}.gain' has no gain" in one for one in warnings] == [True] * warned
    assert any("rotated by -13.0 degrees" in one for one in scene.attrs["notes"])


# What is not used, or may be wrong, is told -----------------------------------------------------


@pytest.mark.parametrize(
    ("codes", "warning"),
    [
        (np.full((4, 7), 5, "uint8"), "has 4 x 7 pixels and the scene 5 x 7: not used"),
        (np.full((5, 7), b"5"), "holds no numbers: not used"),
        (np.full((5, 7), 15.0, "float32"), ""),
        (np.full((5, 7), 15, "int16"), ""),
    ],
)
def test_neons_map_of_clouds(codes: AnyArray, warning: str, tmp_path: Path) -> None:
    path = write_neon(tmp_path / "a.h5")
    name = f"{NEON}/Metadata/Ancillary_Imagery/Haze_Cloud_Water_Map"
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = codes
    scene = open_scene(path)
    if warning:
        (found,) = scene.attrs["warnings"]
        assert found == f"its 'Haze_Cloud_Water_Map' {warning}"
    else:
        assert masked_counts(scene)["reasons"]["cloud"] == 35


def test_an_item_may_write_a_path_as_a_link(tmp_path: Path) -> None:
    write_tanager(tmp_path / "a b.h5", ortho=True)
    assets = {"ortho_sr_hdf5": {"href": "./a%20b.h5", "roles": ["data"]}}
    item = {"type": "Feature", "id": "a", "properties": {}, "assets": assets}
    (tmp_path / "item.json").write_text(json.dumps(item))
    assert_same(open_scene(tmp_path / "item.json"), open_scene(tmp_path / "a b.h5"))
