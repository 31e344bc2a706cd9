"""Swaths that are damaged, incomplete or too small: one sentence says what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from swath_cases import NM, make_swath, write_tanager

from hsi_geo.arrays import AnyArray
from hsi_geo.errors import HsiGeoError, SceneError
from hsi_geo.io.scenes.scene import open_scene

Damage = Callable[[h5py.File, str], None]


def drop(name: str) -> Damage:
    def damage(file: h5py.File, group: str) -> None:
        del file[f"{group}/{name}"]

    return damage


def set_attribute(name: str, value: Any) -> Damage:
    def damage(file: h5py.File, group: str) -> None:
        file[f"{group}/Data Fields/surface_reflectance"].attrs[name] = value

    return damage


def replace_data(name: str, values: AnyArray) -> Damage:
    def damage(file: h5py.File, group: str) -> None:
        del file[f"{group}/{name}"]
        file[f"{group}/{name}"] = values

    return damage


PLACES = "Geolocation Fields/Latitude"
DAMAGES: dict[str, tuple[Damage, str]] = {
    "no latitudes": (drop(PLACES), "otherwise than Tanager files are .*Latitude"),
    "latitudes of another size": (
        replace_data(PLACES, np.zeros((3, 4))),
        "Latitude' has 3 x 4 pixels and the cube 34 x 23",
    ),
    "latitudes of text": (
        replace_data(PLACES, np.full((34, 23), b"x")),
        "values of the type .*, which are no numbers",
    ),
    "latitudes that are all missing": (
        replace_data(PLACES, np.full((34, 23), -9999.0)),
        "latitudes that are all missing",
    ),
    "latitudes that are all the same": (
        replace_data(PLACES, np.full((34, 23), 45.0)),
        "no place for its pixels",
    ),
    "scattered places": (
        replace_data(PLACES, np.random.default_rng(1).uniform(-40, 40, (34, 23))),
        "no place for its pixels: .*in no order",
    ),
    "wavelengths of text": (set_attribute("wavelengths", "blue"), "otherwise than Tanager"),
    "wavelengths of another number": (
        set_attribute("wavelengths", np.ones(3)),
        "'wavelengths' has 3 entries and the scene 4 bands",
    ),
    "a fill value of text": (set_attribute("_FillValue", "none"), "otherwise than Tanager"),
    "a flat cube": (
        replace_data("Data Fields/surface_reflectance", np.zeros((34, 23))),
        "is no array of 3 dimensions",
    ),
    "an empty cube": (
        replace_data("Data Fields/surface_reflectance", np.zeros((4, 0, 23))),
        "is no array of 3 dimensions",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_bad_file_gets_one_sentence(name: str, tmp_path: Path) -> None:
    damage, message = DAMAGES[name]
    path = write_tanager(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        damage(file, "HDFEOS/SWATHS/HYP")
    with pytest.raises(HsiGeoError, match=message) as raised:
        open_scene(path)
    assert "\n" not in raised.value.message


@pytest.mark.parametrize("missing", ["corner", "code", "metadata"])
def test_an_ortho_product_without_its_grid_is_refused(missing: str, tmp_path: Path) -> None:
    path = write_tanager(tmp_path / "a.h5", ortho=True)
    with h5py.File(path, "r+") as file:
        if missing == "code":
            del file["HDFEOS/GRIDS/HYP"].attrs["epsg_code"]
        else:
            del file["HDFEOS INFORMATION/StructMetadata.0"]
            if missing == "corner":
                text = b"UpperLeftPointMtrs=(1,2)"
                file["HDFEOS INFORMATION/StructMetadata.0"] = np.bytes_(text)
    with pytest.raises(SceneError, match="otherwise than Tanager files are"):
        open_scene(path)


@pytest.mark.parametrize("shape", [(1, 23), (34, 1), (1, 1)])
def test_a_swath_of_one_line_is_refused(shape: tuple[int, int], tmp_path: Path) -> None:
    swath = make_swath(*shape)
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        fields = file.create_group("HDFEOS/SWATHS/HYP/Data Fields")
        data = fields.create_dataset("toa_radiance", data=np.ones((4, *shape)))
        data.attrs["wavelengths"] = np.array(NM)
        file["HDFEOS/SWATHS/HYP/Geolocation Fields/Longitude"] = swath.lon
        file["HDFEOS/SWATHS/HYP/Geolocation Fields/Latitude"] = swath.lat
    with pytest.raises(SceneError, match="too few to be put onto a grid"):
        open_scene(path)


def test_prisma_without_a_cube_names_what_it_has(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.he5", "w") as file:
        file["HDFEOS/SWATHS/PRS_L2C_AOT/Data Fields/AOT_Map"] = np.ones((3, 3))
    with pytest.raises(SceneError, match=r"without a hyperspectral cube \(PRS_L2C_AOT\)"):
        open_scene(tmp_path / "a.he5")
