"""HDF5 and netCDF files that the user's own h5py or xarray has open, or opens after hsi-geo."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import emit_cases
import h5py
import numpy as np
import product_cases
import pytest
import xarray as xr

from hsi_geo.errors import SceneError
from hsi_geo.io.readers import hdf5_access
from hsi_geo.io.scenes.scene import open_scene


def write_cf(path: Path) -> Path:
    values = np.arange(120.0).reshape(4, 5, 6)
    centres = ("band", [450.0, 550, 650, 750], {"units": "nm"})
    grid = {"y": np.arange(5.0)[::-1], "x": np.arange(6.0)}
    cube = xr.Dataset({"refl": (("band", "y", "x"), values)}, {"wavelength": centres, **grid})
    cube.to_netcdf(path, engine="h5netcdf")
    return path


WRITERS: dict[str, Callable[[Path], Path]] = {
    "prisma": lambda folder: product_cases.write_prisma_l2d(folder / "PRS_L2D.he5"),
    "neon": lambda folder: product_cases.write_neon(folder / "NEON.h5"),
    "emit": lambda folder: emit_cases.write_emit(folder / "EMIT_L2A_RFL.nc"),
    "cf": lambda folder: write_cf(folder / "cube.nc"),
}
USERS: dict[str, Callable[[Path], Any]] = {
    "h5py": h5py.File,
    "h5py unlocked": lambda path: h5py.File(path, "r", locking=False),
    "h5py for writing": lambda path: h5py.File(path, "r+"),
    "xarray": lambda path: xr.open_dataset(path, engine="h5netcdf", phony_dims="access"),
}


@pytest.mark.parametrize("write", list(WRITERS.values()), ids=list(WRITERS))
@pytest.mark.parametrize("user", list(USERS.values()), ids=list(USERS))
def test_a_file_that_the_user_has_open_is_read(
    tmp_path: Path, write: Callable[[Path], Path], user: Callable[[Path], Any]
) -> None:
    """HDF5 opens a file twice in a process only with the same locks: it was called damaged."""
    path = write(tmp_path)
    with user(path):
        values = open_scene(path).values
    np.testing.assert_array_equal(values, open_scene(path).values)


@pytest.mark.parametrize("write", list(WRITERS.values()), ids=list(WRITERS))
@pytest.mark.parametrize("user", [USERS["h5py"], USERS["xarray"]], ids=["h5py", "xarray"])
def test_a_file_that_was_read_opens_for_the_user(
    tmp_path: Path, write: Callable[[Path], Path], user: Callable[[Path], Any]
) -> None:
    scene = open_scene(path := write(tmp_path))
    values = scene.values
    with user(path):
        np.testing.assert_array_equal(scene.values, values)


@pytest.mark.parametrize("write", list(WRITERS.values()), ids=list(WRITERS))
def test_a_file_is_let_go_with_its_scene(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    """Nobody could write it until the process ended."""
    scene = open_scene(path := write(tmp_path))
    assert scene.values.size and scene.hsi.bands
    del scene
    gc.collect()
    with h5py.File(path, "r+") as file:
        file.attrs["remark"] = "mine"


def test_a_file_is_opened_once_for_all_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = open_scene(product_cases.write_prisma_l2d(tmp_path / "PRS_L2D.he5"))
    opened: list[str] = []
    read = hdf5_access.open_hdf5

    def count(path: str) -> h5py.File:
        opened.append(path)
        return read(path)

    monkeypatch.setattr(hdf5_access, "open_hdf5", count)
    for row in range(scene.sizes["y"]):
        assert scene.isel(y=row).values.size
    assert len(opened) == 1


# Other programs -------------------------------------------------------------------------------


@contextmanager
def written_elsewhere(path: Path) -> Iterator[None]:
    """Another process has the file open for writing."""
    code = "import h5py, sys\nf = h5py.File(sys.argv[1], 'r+')\nprint(flush=True)\nsys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code, str(path)], **pipes) as other:  # type: ignore[call-overload]
        other.stdout.readline()
        yield
        other.stdin.close()


def test_a_file_that_another_program_writes_is_read_if_it_can_be(tmp_path: Path) -> None:
    path = product_cases.write_prisma_l2d(tmp_path / "PRS_L2D.he5")
    with written_elsewhere(path):
        values = open_scene(path).values
    np.testing.assert_array_equal(values, open_scene(path).values)


@pytest.mark.parametrize("name", ["PRS_L2D.he5", "cube.nc"])
@pytest.mark.parametrize(
    "error",
    [
        BlockingIOError(11, "unable to lock file"),
        OSError("file is already open for write (may use <h5clear file> to clear)"),
    ],
    ids=["locked", "marked"],
)
def test_a_file_that_is_half_written_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: OSError
) -> None:
    if name.endswith("he5"):
        path = product_cases.write_prisma_l2d(tmp_path / name)
    else:
        path = write_cf(tmp_path / name)

    def refuse(*_: Any, locking: bool | None = None, **__: Any) -> None:
        raise OSError("truncated file") if locking is False and error.errno else error

    monkeypatch.setattr(h5py, "File", refuse)
    with pytest.raises(SceneError, match="is open for writing in another program; close it there"):
        open_scene(path)
