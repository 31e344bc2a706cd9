"""The accessor scene.hsi: the same values as the functions, computed once for each array."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest
from builders import CENTRES, cube_of, watch_reads

from hsi_geo.errors import WavelengthError
from hsi_geo.io.readers import RasterPixels
from hsi_geo.io.scenes.properties import bands_of, grid_of, select_good_bands
from hsi_geo.io.scenes.quality import band_statistics
from hsi_geo.io.scenes.scene import open_scene, scene_from_array
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.tiling import Window

if TYPE_CHECKING:
    from planted import MakeScene, Planted


def test_accessor_gives_grid_bands_and_good_bands(planted: Planted) -> None:
    scene = open_scene(planted.path)
    grid, expected = scene.hsi.grid, grid_of(scene)
    assert (grid.shape, grid.transform) == (expected.shape, expected.transform)
    assert grid.crs.equals(expected.crs)
    np.testing.assert_array_equal(scene.hsi.bands.centres_nm, bands_of(scene).centres_nm)
    np.testing.assert_array_equal(scene.hsi.bands.good, scene["good"])
    assert scene.hsi.good.identical(select_good_bands(scene))


def test_accessor_is_computed_once_for_each_array(planted: Planted) -> None:
    scene = open_scene(planted.path)
    assert scene.hsi is scene.hsi
    assert scene.hsi.grid is scene.hsi.grid
    assert scene.hsi.good is scene.hsi.good
    part = scene.isel(y=slice(4, 9))
    assert part.hsi.grid.shape == (5, 53)
    assert scene.hsi.grid.shape == (37, 53)


def test_accessor_of_a_changed_copy_is_new(planted: Planted) -> None:
    scene = open_scene(planted.path)
    assert scene.hsi.grid.crs.to_epsg() == 32633
    moved = scene.rio.write_crs("EPSG:32632")
    assert moved.hsi.grid.crs.to_epsg() == 32632
    assert scene.hsi.grid.crs.to_epsg() == 32633


def test_accessor_properties_read_no_pixel_before_statistics(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = watch_reads(monkeypatch, RasterPixels)
    scene = open_scene(planted.path)
    _ = scene.hsi.grid, scene.hsi.bands, scene.hsi.good
    assert reads == []
    _ = scene.hsi.statistics
    count = len(reads)
    assert count
    _ = scene.hsi.statistics
    assert len(reads) == count


def test_accessor_reads_windows(planted: Planted) -> None:
    scene = open_scene(planted.path)
    window = Window(-2, 3, 9, 60)
    for found, expected in zip(scene.hsi.read(window), read_window(scene, window), strict=True):
        np.testing.assert_array_equal(found, expected)
    image, valid = scene.hsi.read()
    np.testing.assert_array_equal(valid, planted.truth > 0)
    assert image.shape == scene.shape


def test_a_scene_survives_pickling_after_use_of_the_accessor(planted: Planted) -> None:
    scene = open_scene(planted.path)
    _ = scene.hsi.grid, scene.hsi.good, scene.hsi.statistics
    again = pickle.loads(pickle.dumps(scene))
    assert again.hsi.grid.transform == scene.hsi.grid.transform
    np.testing.assert_array_equal(again.values, scene.values)


def test_bands_need_wavelengths() -> None:
    scene = scene_from_array(cube_of(3), np.array(CENTRES[:3])).drop_vars("wavelength")
    with pytest.raises(WavelengthError, match="no coordinate named wavelength"):
        _ = scene.hsi.bands


# Statistics -----------------------------------------------------------------------------------


def test_statistics_of_a_small_scene_are_of_all_its_pixels(planted: Planted) -> None:
    scene = open_scene(planted.path)
    found = scene.hsi.statistics
    data = planted.values[:, planted.truth > 0].astype(np.float64)
    np.testing.assert_array_equal(found["minimum"], data.min(axis=1))
    np.testing.assert_array_equal(found["maximum"], data.max(axis=1))
    np.testing.assert_allclose(found["mean"], data.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(found["std"], data.std(axis=1), rtol=1e-9)
    np.testing.assert_array_equal(found["wavelength"], planted.centres_nm)
    assert found.attrs["sampled_px"] == planted.truth.size
    assert found.attrs["nodata_share"] == pytest.approx((planted.truth == 0).mean())


def test_statistics_of_a_large_scene_are_of_a_sample(make_scene: MakeScene) -> None:
    scene = open_scene(make_scene(height=700, width=650, bands=3).path)
    found = band_statistics(scene)
    assert 36 * 64 * 50 < found.attrs["sampled_px"] <= 36 * 64 * 64
    np.testing.assert_allclose(found["mean"], scene.values.mean(axis=(1, 2)), rtol=0.2)


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_standard_deviations_beside_a_large_mean_are_exact(offset: float) -> None:
    cube = (np.random.default_rng(3).normal(size=(4, 9, 8)) + offset).astype(np.float32)
    found = band_statistics(scene_from_array(cube, np.array(CENTRES)))
    np.testing.assert_allclose(found["std"], cube.astype(np.float64).std(axis=(1, 2)), rtol=1e-9)


def test_bands_without_data_have_no_statistics() -> None:
    cube = cube_of(3, dtype="float32")
    cube[1] = np.nan
    found = band_statistics(scene_from_array(cube, np.array(CENTRES[:3])))
    for name in ("minimum", "maximum", "mean", "std"):
        assert np.isnan(found[name].values).tolist() == [False, True, False]
    empty = band_statistics(scene_from_array(np.full_like(cube, np.nan), np.array(CENTRES[:3])))
    assert np.isnan(empty["mean"]).all()
    assert empty.attrs["nodata_share"] == 1.0
