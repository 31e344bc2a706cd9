"""Files of arrays, and classic netCDF files that are cut short."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from builders import check_travels
from cf_cases import dataset, write_classic

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
