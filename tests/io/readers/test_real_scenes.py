"""Scenes of sensors and of publishers, as they are."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from builders import physical
from rasterio.errors import NotGeoreferencedWarning

from hsi_geo.arrays import AnyArray
from hsi_geo.errors import WavelengthError
from hsi_geo.io.scenes.properties import grid_of, select_good_bands
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.tiling import Window


@pytest.fixture
def copied(data: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Function that copies a real scene with its header, so that nothing is left beside it."""

    def copy(name: str) -> Path:
        for file in (data / name).parent.glob(f"{Path(name).stem}*"):
            shutil.copy(file, tmp_path)
        return tmp_path / Path(name).name

    return copy


def stored(path: Path) -> AnyArray:
    """All pixels, read by rasterio alone."""
    with pytest.warns(NotGeoreferencedWarning) if _plain(path) else rasterio.Env():
        options = {"CPL_VSIL_GZIP_WRITE_PROPERTIES": "NO"}
        with rasterio.Env(**options), rasterio.open(path) as file:
            return np.asarray(file.read())


def _plain(path: Path) -> bool:
    return path.name.startswith(("emit", "corn"))


def test_enmap_berlin_is_a_compressed_cube_in_micrometres(copied: Callable[[str], Path]) -> None:
    path = copied("enmap_berlin/EnMAP_BerlinUrbanGradient.bsq")
    before = sorted(file.name for file in path.parent.iterdir())
    scene = open_scene(path)
    assert scene.shape == (177, 80, 60)
    np.testing.assert_allclose(scene["wavelength"][[0, 1, -1]], [460.0, 465.0, 2409.0], atol=0.5)
    np.testing.assert_allclose(scene["fwhm"][0], 5.8, atol=0.3)
    assert grid_of(scene).crs is not None
    assert scene.rio.crs.to_epsg() == 32633
    values = stored(path)
    image, valid = physical(scene)
    np.testing.assert_array_equal(valid, (values != -99).any(axis=0))
    np.testing.assert_array_equal(image[:, valid], values[:, valid])
    assert sorted(file.name for file in path.parent.iterdir()) == before


def test_simulated_fields_are_scaled_reflectance(copied: Callable[[str], Path]) -> None:
    path = copied("simulated_fields/simulated_fields.tif")
    scene = open_scene(path)
    assert scene.shape == (234, 200, 180)
    assert scene.attrs["scale_factor"] == pytest.approx(1e-4)
    assert scene["wavelength"][0] == 420.0
    wet = scene["wavelength"][~scene["good"]]
    assert wet.size
    assert ((wet >= 1350) & (wet <= 1950)).all()
    image, valid = read_window(select_good_bands(scene), Window(60, 70, 9, 11))
    assert valid.all()
    assert 0.0 < np.median(image) < 1.0
    good = scene["good"].values
    np.testing.assert_allclose(image, stored(path)[good, 60:69, 70:81] * 1e-4, rtol=1e-5)


def test_an_emit_crop_has_its_bad_bands(copied: Callable[[str], Path]) -> None:
    path = copied("emit_10x10/emit20250324t221005_jpl_unmix_ex")
    header = path.with_name(path.name + ".hdr").read_text()
    listed = header.split("bbl = {")[1].split("}")[0].split(",")
    marked_bad = np.array([int(flag) == 0 for flag in listed])
    scene = open_scene(path)
    assert scene.shape == (285, 10, 10)
    np.testing.assert_allclose(scene["wavelength"][0], 381.0055927)
    assert marked_bad.any()
    assert not scene["good"].values[marked_bad].any()
    assert grid_of(scene).crs is None
    np.testing.assert_array_equal(scene.values, stored(path))


def test_a_mars_scene_keeps_the_crs_of_mars(copied: Callable[[str], Path]) -> None:
    path = copied("awkward/crism_mars_crs.tif")
    with pytest.raises(WavelengthError, match="489 bands and no wavelengths"):
        open_scene(path)
    scene = open_scene(path, wavelengths="1002:3920")
    grid = grid_of(scene)
    assert grid.crs is not None
    assert grid.crs.ellipsoid is not None
    assert grid.crs.ellipsoid.semi_major_metre < 3.4e6
    assert grid.resolution == pytest.approx((670.5, 559.8))
    values = stored(path)
    _, valid = physical(scene)
    np.testing.assert_array_equal(valid, (np.isfinite(values) & (values != 65535)).any(axis=0))


def test_a_neon_scene_without_crs_keeps_its_grid(copied: Callable[[str], Path]) -> None:
    scene = open_scene(copied("awkward/neon_no_crs.tif"), wavelengths="383.5:2512")
    grid = grid_of(scene)
    assert grid.crs is None
    assert grid.bounds == pytest.approx((257957.6, 4110468.8, 257997.6, 4110508.8))


def test_raw_counts_of_a_corn_kernel_are_read_line_by_line(copied: Callable[[str], Path]) -> None:
    path = copied("awkward/corn-kernel-hyperspectral.raw")
    scene = open_scene(path)
    assert scene.shape == (580, 31, 43)
    np.testing.assert_allclose(scene["wavelength"][0], 366.551)
    np.testing.assert_array_equal(scene[100:103].values, stored(path)[100:103])
