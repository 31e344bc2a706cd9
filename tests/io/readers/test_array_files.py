"""Files of arrays, and classic netCDF files."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from builders import check_travels, cube_of, physical
from cf_cases import dataset, write_classic
from emit_cases import NM

from hsi_geo.errors import SceneError
from hsi_geo.io.scenes.scene import open_scene


def test_arrays_of_matlab_in_hdf5_get_the_hint_of_other_arrays(tmp_path: Path) -> None:
    path = tmp_path / "Indian_pines.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["indian_pines"] = np.ones((4, 5, 7))
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file")
    with pytest.raises(SceneError, match="file of arrays, which have neither wavelengths") as error:
        open_scene(path)
    assert "scene_from_array" in str(error.value)


def test_classic_netcdf_travels(tmp_path: Path) -> None:
    check_travels(open_scene(write_classic(tmp_path / "a.nc", dataset())))


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_classic_netcdf_that_is_cut_short_is_one_sentence(tmp_path: Path, share: float) -> None:
    path = write_classic(tmp_path / "a.nc", dataset())
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(SceneError, match=r"a\.nc"):
        open_scene(path).load()


@pytest.mark.parametrize("dims", ["zyx", "tyx", "yx"])
def test_classic_netcdf_without_a_known_axis_of_bands_is_read_with_given_wavelengths(
    tmp_path: Path, dims: str
) -> None:
    cube = cube_of(3) if len(dims) == 3 else cube_of(1)[0]
    path = write_classic(tmp_path / "a.nc", xr.Dataset({"v": (tuple(dims), cube)}))
    scene = open_scene(path, wavelengths="450:650")
    assert len(scene) == (3 if len(dims) == 3 else 1)
    assert scene["wavelength"].values[0] == 450
    np.testing.assert_array_equal(np.sort(scene.values, axis=None), np.sort(cube, axis=None))


def test_classic_netcdf_of_several_images_says_that_it_holds_no_cube(tmp_path: Path) -> None:
    images = {name: (("y", "x"), cube_of(1)[0]) for name in ("red", "nir")}
    with pytest.raises(SceneError, match="holds no three-dimensional variable"):
        open_scene(write_classic(tmp_path / "a.nc", xr.Dataset(images)))


@pytest.mark.parametrize("has_own", [True, False])
def test_classic_netcdf_of_an_item_has_its_own_wavelengths_or_those_of_the_item(
    tmp_path: Path, has_own: bool
) -> None:
    scene = dataset()
    write_classic(tmp_path / "a.nc", scene if has_own else scene.drop_vars("wavelength"))
    bands = [{"name": f"B{i}", "center_wavelength": nm / 1000 + 0.002} for i, nm in enumerate(NM)]
    asset = {"href": "a.nc", "type": "application/netcdf", "roles": ["data"], "eo:bands": bands}
    item = {"type": "Feature", "id": "a", "properties": {}, "assets": {"data": asset}}
    (tmp_path / "a.json").write_text(json.dumps(item))
    found = open_scene(tmp_path / "a.json")
    np.testing.assert_allclose(found["wavelength"], np.array(NM) + (0 if has_own else 2))
    np.testing.assert_allclose(
        np.sort(physical(found)[0], axis=None),
        np.sort(physical(open_scene(tmp_path / "a.nc"))[0], axis=None),
    )
