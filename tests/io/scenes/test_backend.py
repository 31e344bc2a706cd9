"""xarray's engine hsi_geo: the same arrays as open_scene, for every format."""

from __future__ import annotations

import os
import tarfile
import tomllib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import xarray as xr
from builders import CENTRES, cube_of, nm_tags, write_envi, write_tif
from emit_cases import write_emit
from product_cases import write_desis, write_enmap

from hsi_geo.errors import SceneNotFoundError, WavelengthError
from hsi_geo.io.scenes.backend import VARIABLE, HsiGeoBackend
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.tiling import Window

ROOT = Path(__file__).parents[3]

Write = Callable[[Path], Path | str]


def geotiff(folder: Path) -> Path:
    return write_tif(folder / "a.tif", cube_of(4), band_tags=nm_tags(CENTRES), nodata=20)


def envi(folder: Path) -> Path:
    centres = f"wavelength = {{{', '.join(map(str, CENTRES))}}}"
    return write_envi(folder / "a.bsq", cube_of(4), "wavelength units = nm", centres)


def netcdf(folder: Path) -> Path:
    path = folder / "a.nc"
    scene = open_scene(geotiff(folder))
    saved = scene.drop_vars("band").drop_attrs(deep=False)
    saved.rename(band="bands").to_netcdf(path, engine="h5netcdf")
    return path


def zarr(folder: Path) -> Path:
    pytest.importorskip("zarr", reason="needs the extra zarr")
    path = folder / "a.zarr"
    xr.open_dataset(netcdf(folder), engine="h5netcdf").to_zarr(path, consolidated=False)
    return path


def emit(folder: Path) -> Path:
    return write_emit(folder / "emit.nc")


def enmap(folder: Path) -> Path:
    return write_enmap(folder / "product")


def desis(folder: Path) -> Path:
    return write_desis(folder / "product")


def inside_a_zip(folder: Path) -> str:
    with ZipFile(folder / "a.zip", "w") as archive:
        archive.write(geotiff(folder), "a.tif")
    return f"/vsizip/{folder / 'a.zip'}/a.tif"


def inside_a_tar(folder: Path) -> str:
    with tarfile.open(folder / "a.tar", "w") as archive:
        archive.add(geotiff(folder), "a.tif")
    return f"/vsitar/{folder / 'a.tar'}/a.tif"


def subdataset(folder: Path) -> str:
    return f"GTIFF_DIR:1:{geotiff(folder)}"


FORMATS: tuple[Write, ...] = (
    *(geotiff, envi, netcdf, zarr, emit, enmap, desis),
    *(inside_a_zip, inside_a_tar, subdataset),
)


@pytest.mark.parametrize("write", FORMATS)
def test_engine_opens_every_format_as_open_scene_does(write: Write, tmp_path: Path) -> None:
    path = write(tmp_path)
    expected = open_scene(path)
    dataset = xr.open_dataset(path, engine=HsiGeoBackend)
    assert list(dataset.data_vars) == [VARIABLE]
    scene = dataset[VARIABLE]
    assert scene.dims == ("band", "y", "x")
    assert scene.drop_attrs(deep=False).equals(expected.drop_attrs(deep=False))
    assert scene.attrs.keys() == expected.attrs.keys()
    assert scene.hsi.grid.transform == expected.hsi.grid.transform
    assert open_scene(scene) is scene
    window = Window(1, -1, 4, 5)
    for found, wanted in zip(
        read_window(scene, window), read_window(expected, window), strict=True
    ):
        np.testing.assert_array_equal(found, wanted)


def test_engine_passes_wavelengths_on(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(4))
    with pytest.raises(WavelengthError):
        xr.open_dataset(path, engine=HsiGeoBackend)
    dataset = xr.open_dataset(path, engine=HsiGeoBackend, wavelengths="400:1000")
    np.testing.assert_allclose(dataset["wavelength"], [400.0, 600.0, 800.0, 1000.0])


def test_engine_drops_variables(tmp_path: Path) -> None:
    dataset = xr.open_dataset(geotiff(tmp_path), engine=HsiGeoBackend, drop_variables=["fwhm"])
    assert "fwhm" not in dataset.coords
    assert "wavelength" in dataset.coords


def test_engine_opens_a_data_array(tmp_path: Path) -> None:
    scene = xr.open_dataarray(geotiff(tmp_path), engine=HsiGeoBackend)
    np.testing.assert_array_equal(scene, cube_of(4))


def test_engine_names_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SceneNotFoundError, match=r"none\.tif"):
        xr.open_dataset(tmp_path / "none.tif", engine=HsiGeoBackend)


@pytest.mark.parametrize("write", [geotiff, netcdf, emit])
def test_engine_is_not_used_unless_asked_for(write: Write, tmp_path: Path) -> None:
    assert not HsiGeoBackend().guess_can_open(write(tmp_path))


@pytest.mark.parametrize(
    ("given", "passed_on"),
    [
        ("/vsicurl/https:/host/a.tif", "/vsicurl/https://host/a.tif"),
        (f"{Path.cwd()}{os.sep}GTIFF_DIR:1:a.tif", "GTIFF_DIR:1:a.tif"),
        (f"{Path.cwd()}{os.sep}none.tif", f"{Path.cwd()}{os.sep}none.tif"),
        ("https://host/a.tif", "https://host/a.tif"),
    ],
)
def test_names_that_only_gdal_knows_are_restored(given: str, passed_on: str) -> None:
    from hsi_geo.io.scenes.backend import _gdal_name

    assert _gdal_name(given) == passed_on


def test_pyproject_registers_the_engine() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        points = tomllib.load(file)["project"]["entry-points"]["xarray.backends"]
    module, _, name = points["hsi_geo"].partition(":")
    assert getattr(import_module(module), name) is HsiGeoBackend


@pytest.mark.skipif(
    "hsi_geo" not in xr.backends.list_engines(), reason="needs this version to be installed"
)
def test_engine_has_a_name(tmp_path: Path) -> None:
    dataset = xr.open_dataset(geotiff(tmp_path), engine="hsi_geo")
    np.testing.assert_array_equal(dataset[VARIABLE], cube_of(4))
