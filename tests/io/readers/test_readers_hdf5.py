"""PRISMA L2D and NEON files: axes, scale, bands and grid."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from affine import Affine
from builders import check_travels, cube_of, physical, watch_reads

from hsi_geo.arrays import AnyArray
from hsi_geo.errors import MissingPackageError, SceneError
from hsi_geo.io.readers.envi_grid import map_info
from hsi_geo.io.readers.hdf5_access import HdfPixels
from hsi_geo.io.scenes.properties import bands_of, grid_of, select_good_bands
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.io.scenes.windows import block_shape, read_window
from hsi_geo.tiling import Window

#: Each detector from its longest wavelength down; 0 is padding, and one band is flagged out.
VNIR, SWIR = [977.0, 700.0, 402.0, 0.0], [2497.0, 1600.0, 920.0]
KEPT = [977.0, 700.0, 402.0, 2497.0, 920.0]


def prisma_cubes() -> tuple[AnyArray, AnyArray]:
    """(4, 5, 7) and (3, 5, 7); one pixel outside of the strip is 0 in all bands."""
    vnir, swir = cube_of(4, dtype="uint16") * 100, cube_of(3, dtype="uint16") * 300
    vnir[:, 1, 2] = swir[:, 1, 2] = 0
    vnir[1, 3, 3] = 0  # data: the least value of its band
    return vnir, swir


def write_prisma(path: Path, edges: bool = False) -> Path:
    vnir, swir = prisma_cubes()
    half = 0 if edges else 15
    left, right, bottom, top = 600000.0, 600210.0, 4499850.0, 4500000.0
    attributes: dict[str, Any] = {
        "Epsg_Code": np.uint32(32632),
        "List_Cw_Vnir": np.array(VNIR, np.float32),
        "List_Cw_Swir": np.array(SWIR, np.float32),
        "List_Fwhm_Vnir": np.array([12, 11, 10, 0], np.float32),
        "List_Fwhm_Swir": np.array([9, 8, 7], np.float32),
        "List_Cw_Vnir_Flags": np.array([1, 1, 1, 0], np.int32),
        "List_Cw_Swir_Flags": np.array([1, 0, 1], np.int32),
        "L2ScaleVnirMin": np.float32(0.1),
        "L2ScaleVnirMax": np.float32(0.9),
        "L2ScaleSwirMin": np.float32(0.0),
        "L2ScaleSwirMax": np.float32(0.5),
    }
    for name, x, y in (
        ("UL", left + half, top - half),
        ("UR", right - half, top - half),
        ("LL", left + half, bottom + half),
        ("LR", right - half, bottom + half),
    ):
        attributes[f"Product_{name}corner_easting"] = np.float64(x)
        attributes[f"Product_{name}corner_northing"] = np.float64(y)
    with h5py.File(path, "w") as file:
        file.attrs.update(attributes)
        fields = file.create_group("HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields")
        fields.create_dataset("VNIR_Cube", data=vnir.transpose(1, 0, 2), chunks=(2, 4, 7))
        fields.create_dataset("SWIR_Cube", data=swir.transpose(1, 0, 2))
        fields.create_dataset("VNIR_PIXEL_L2_ERR_MATRIX", data=np.zeros((5, 4, 7), "uint8"))
        file.create_dataset("HDFEOS/SWATHS/PRS_L2D_PCO/Data Fields/Cube", data=np.ones((30, 42)))
    return path


NEON_NM = [381.5, 900.0, 1360.0, 1390.0, 1900.0, 2400.0]


def neon_cube() -> AnyArray:
    cube = cube_of(6)
    cube[:, 1, 2] = -9999
    cube[2, 3, 4] = -9999
    return cube


def write_neon(path: Path, **metadata: Any) -> Path:
    with h5py.File(path, "w") as file:
        group = file.create_group("SJER/Reflectance")
        group.attrs["Band_Window_1_Nanometers"] = [1340, 1445]
        group.attrs["Band_Window_2_Nanometers"] = [1790, 1955]
        data = group.create_dataset("Reflectance_Data", data=neon_cube().transpose(1, 2, 0))
        data.attrs["Scale_Factor"] = 10000.0
        data.attrs["Data_Ignore_Value"] = -9999.0
        spectral = group.create_group("Metadata/Spectral_Data")
        spectral.create_dataset("Wavelength", data=np.array(NEON_NM)).attrs["Units"] = "Nanometers"
        spectral.create_dataset("FWHM", data=np.arange(5.0, 11.0))
        system = group.create_group("Metadata/Coordinate_System")
        system["Map_Info"] = (
            b"UTM,  1.000,  1.000,  257957.6, 4110508.8,  1.0,  2.0, 11, North, WGS-84, units=Meters"
        )
        system["EPSG Code"] = b"32611"
        for name, value in metadata.items():
            del system[name]
            system[name] = value
    return path


def test_prisma_cubes_of_both_detectors_are_one_scene(tmp_path: Path) -> None:
    scene = open_scene(write_prisma(tmp_path / "PRS_L2D_STD.he5"))
    vnir, swir = prisma_cubes()
    stored = np.concatenate([vnir[:3], swir[[0, 2]]])
    assert block_shape(scene) == (2, 7)
    np.testing.assert_array_equal(scene["wavelength"], KEPT)
    np.testing.assert_array_equal(scene["fwhm"], [12, 11, 10, 9, 7])
    np.testing.assert_array_equal(scene.values, stored)
    image, valid = physical(scene)
    assert np.argwhere(~valid).tolist() == [[1, 2]]
    scaled = [0.1 + vnir[:3] * (0.8 / 65535), swir[[0, 2]] * (0.5 / 65535)]
    np.testing.assert_allclose(image, np.where(valid, np.concatenate(scaled), 0), rtol=1e-5)


@pytest.mark.parametrize("block", [512, 2048])
def test_hdf5_with_a_user_block_is_read(block: int, tmp_path: Path) -> None:
    path = write_neon(tmp_path / "a.h5")
    with h5py.File(path) as source, h5py.File(tmp_path / "b", "w", userblock_size=block) as target:
        source.copy("SJER", target)
    np.testing.assert_array_equal(open_scene(tmp_path / "b").values, open_scene(path).values)


@pytest.mark.parametrize("edges", [False, True])
def test_prisma_corners_are_pixel_centres_or_edges(tmp_path: Path, edges: bool) -> None:
    grid = grid_of(open_scene(write_prisma(tmp_path / "a.he5", edges)))
    assert grid.transform.almost_equals(Affine(30, 0, 600000, 0, -30, 4500000))
    assert grid.crs is not None
    assert grid.crs.to_epsg() == 32632


def test_neon_attributes_in_small_letters_are_read(tmp_path: Path) -> None:
    """Values were 10,000 times too large, and -9999 was data."""
    with h5py.File(path := write_neon(tmp_path / "small.h5"), "r+") as file:
        attributes = file["SJER/Reflectance/Reflectance_Data"].attrs
        for name in list(attributes):
            attributes[name.lower()] = attributes.pop(name)
    values, valid = open_scene(path).hsi.read()
    wanted, also_valid = open_scene(write_neon(tmp_path / "capital.h5")).hsi.read()
    np.testing.assert_array_equal(values, wanted)
    np.testing.assert_array_equal(valid, also_valid)
    assert not valid.all()


def test_neon_cube_with_bands_last_is_read(tmp_path: Path) -> None:
    scene = open_scene(write_neon(tmp_path / "NEON.h5"))
    bands = bands_of(scene)
    np.testing.assert_array_equal(bands.centres_nm, NEON_NM)
    np.testing.assert_array_equal(bands.fwhm_nm, np.arange(5.0, 11.0))
    np.testing.assert_array_equal(bands.good, [True, True, False, False, False, True])
    assert scene.attrs["scale_factor"] == pytest.approx(1e-4)
    np.testing.assert_array_equal(scene.values, neon_cube())
    image, valid = physical(scene)
    assert np.argwhere(~valid).tolist() == [[1, 2]]
    assert image[2, 3, 4] == image[1, 3, 4]
    grid = grid_of(scene)
    assert grid.transform.almost_equals(Affine(1, 0, 257957.6, 0, -2, 4110508.8))
    assert grid.crs is not None
    assert grid.crs.to_epsg() == 32611


def test_map_info_counts_from_its_reference_pixel() -> None:
    text = "UTM, 1.5, 2, 1000.0, 2000.0, 10, 20, 11, North, WGS-84, units=Meters"
    assert map_info(text).almost_equals(Affine(10, 0, 995.0, 0, -20, 2020.0))
    turned = map_info("UTM, 1, 1, 1000, 2000, 10, 10, 11, North, WGS-84, rotation=30.0")
    assert turned @ (0, 0) == pytest.approx((1000, 2000))
    east, north = 10 * np.cos(np.pi / 6), 10 * np.sin(np.pi / 6)
    assert turned @ (1, 0) == pytest.approx((1000 + east, 2000 + north))
    assert turned @ (0, 1) == pytest.approx((1000 + north, 2000 - east))


@pytest.mark.parametrize("write", [write_prisma, write_neon])
@pytest.mark.parametrize(
    "key",
    [
        (slice(None), slice(1, 4), slice(2, 7)),
        ([4, 0, 2], slice(None, None, -1), [5, 1]),
        (3, 2, slice(None)),
        (slice(1, 2), -1, -1),
    ],
)
def test_a_window_equals_the_part_of_the_whole_scene(
    tmp_path: Path, write: Callable[[Path], Path], key: tuple[Any, ...]
) -> None:
    scene = open_scene(write(tmp_path / "a.h5"))
    expected = scene.values
    for axis in (2, 1, 0):
        expected = expected[(slice(None),) * axis + (key[axis],)]
    np.testing.assert_array_equal(scene[key].values, expected)


def test_only_the_window_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = watch_reads(monkeypatch, HdfPixels)
    view = select_good_bands(open_scene(write_prisma(tmp_path / "a.he5")))
    assert seen == []
    read_window(view.isel(band=[1, 2]), Window(-2, 3, 5, 2))
    window = Window(0, 3, 3, 2)
    # 700 nm and 920 nm, and the flags of all bands, which tell defective pixels.
    assert sorted(bands for _, bands, _ in seen) == [[0, 1, 2, 3], [1], [2]]
    assert {where for _, _, where in seen} == {window}


# Python 3.12 warns of any fork beside threads; this is what DataLoader does on Linux, too.
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("write", [write_prisma, write_neon])
def test_pickled_and_forked_readers_open_the_file_anew(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    scene = open_scene(write(tmp_path / "a.h5"))
    check_travels(scene)


# What is refused ------------------------------------------------------------------------------


def test_prisma_of_another_level_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.he5", "w") as file:
        file.create_dataset("HDFEOS/SWATHS/PRS_L3_HCO/Data Fields/VNIR_Cube", data=cube_of(2))
    with pytest.raises(
        SceneError, match=r"without a hyperspectral cube \(PRS_L3_HCO\); give the L1"
    ):
        open_scene(tmp_path / "a.he5")


def test_a_missing_dataset_is_named(tmp_path: Path) -> None:
    path = write_prisma(tmp_path / "a.he5")
    with h5py.File(path, "r+") as file:
        del file.attrs["List_Cw_Swir"]
    with pytest.raises(SceneError, match=r"otherwise than PRISMA L2D files are .*List_Cw_Swir"):
        open_scene(path)


def test_a_crs_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    path = write_neon(tmp_path / "a.h5", **{"EPSG Code": b"99999"})
    with pytest.raises(SceneError, match="coordinate reference system that PROJ does not know"):
        open_scene(path)


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = write_neon(tmp_path / "a.h5")
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(SceneError, match="is a damaged HDF5 file"):
        open_scene(path)


def test_missing_h5py_error_names_the_pip_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_neon(tmp_path / "a.h5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingPackageError, match=r"needs the package h5py.*pip install h5py"):
        open_scene(path)


# Real files -----------------------------------------------------------------------------------


def test_a_neon_tile_opens(data: Path) -> None:
    scene = open_scene(data / "neon_h5" / "neon_sjer.h5")
    assert scene.shape == (426, 30, 30)
    table = np.loadtxt(data / "wavelengths" / "neon_sjer_ex.csv", delimiter=",", skiprows=1)
    np.testing.assert_allclose(scene["wavelength"], table[:, -1], atol=0.1)
    with h5py.File(data / "neon_h5" / "neon_sjer.h5") as file:
        stored = file["SJER/Reflectance/Reflectance_Data"][()].transpose(2, 0, 1)
    np.testing.assert_array_equal(scene.values, stored)
    grid = grid_of(scene)
    assert grid.resolution == (1.0, 1.0)
    assert grid.crs is not None
    assert grid.crs.to_epsg() == 32611
