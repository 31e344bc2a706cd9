"""Undeclared fill values, spikes and dead bands: found in the data and left out of statistics."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from builders import cube_of, nm_tags, physical, write_tif
from hypothesis import given
from hypothesis import strategies as st

from hsi_geo.arrays import AnyArray
from hsi_geo.errors import SceneError
from hsi_geo.io.scenes.properties import select_good_bands
from hsi_geo.io.scenes.quality import (
    BandRanges,
    assess_quality,
    bad_bands,
    kind_of_values,
    scale_problem,
)
from hsi_geo.io.scenes.scene import open_scene, scene_from_array
from hsi_geo.tasks.inference.scene_statistics import learn_spectral_stats
from hsi_geo.tasks.info import describe_scene

if TYPE_CHECKING:
    from planted import MakeScene

CENTRES = np.linspace(450.0, 900.0, 10)


def noisy(dtype: str = "float32", height: int = 30, width: int = 41) -> AnyArray:
    """(10, H, W) reflectance with negative values among it."""
    generator = np.random.default_rng(4)
    level = np.sin(CENTRES / 90)[:, None, None] * generator.random((height, width))
    cube = 0.3 + 0.3 * level + 0.05 * generator.standard_normal((10, height, width))
    cube[0] -= 0.4
    return cube.astype(dtype)


# Undeclared fill ------------------------------------------------------------------------------


@pytest.mark.parametrize("fill", [-9999.0, -50.0, 65535.0, 1.0, 0.0, -3.4028235e38, np.inf, np.nan])
@pytest.mark.parametrize("declared", [None, -1.0])
def test_read_window_treats_one_value_in_all_bands_as_missing(
    tmp_path: Path, fill: float, declared: float | None
) -> None:
    cube = noisy()
    cube[:, 4, 7] = fill
    path = write_tif(tmp_path / "a.tif", cube, band_tags=nm_tags(list(CENTRES)), nodata=declared)
    image, valid = physical(open_scene(path))
    assert np.argwhere(~valid).tolist() == [[4, 7]]
    assert np.isfinite(image).all()


@pytest.mark.parametrize("fill", [-3.4028235e38, 1e31, np.inf, -np.inf, np.nan])
def test_read_window_fills_impossible_numbers(tmp_path: Path, fill: float) -> None:
    cube = noisy()
    cube[3:5, 4, 7] = fill
    path = write_tif(tmp_path / "a.tif", cube, band_tags=nm_tags(list(CENTRES)))
    image, valid = physical(open_scene(path))
    assert valid.all()
    np.testing.assert_array_equal(image[3:5, 4, 7], cube[[2, 5], 4, 7])


@pytest.mark.parametrize("bands", [3, 10])
@pytest.mark.parametrize("fill", [1e20, -1e20, 9.96921e36, 1e12])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_read_window_fills_outliers_of_a_spectrum(fill: float, dtype: str, bands: int) -> None:
    cube = noisy(dtype)[:bands]
    cube[1, 4, 7] = cube[1, 20, :3] = fill
    image, valid = physical(scene_from_array(cube, CENTRES[:bands]))
    assert valid.all()
    assert np.abs(image).max() < 10
    kept = np.abs(cube) < 10
    np.testing.assert_array_equal(image[kept], cube.astype("float32")[kept])


@pytest.mark.parametrize("scale", [1e-25, 1e-3, 1e9, 1e20, 1e28])
def test_read_window_keeps_scenes_of_large_or_small_numbers(scale: float) -> None:
    cube = (noisy("float64") * scale).astype("float32")
    image, valid = physical(scene_from_array(cube, CENTRES))
    assert valid.all()
    np.testing.assert_array_equal(image, cube)
    assert scale_problem(scene_from_array(cube, CENTRES)) is None


def test_read_window_of_half_precision() -> None:
    cube = noisy("float16")
    cube[3, 4, 7], cube[5, 8, 9], cube[1, 2, 3] = np.inf, np.nan, 65504
    for nodata in (None, -3.4028235e38, 1e300):
        image, valid = physical(scene_from_array(cube, CENTRES, nodata=nodata))
        assert valid.all()
        assert image[1, 2, 3] == 65504
        np.testing.assert_array_equal(image[3, 4, 7], image[2, 4, 7])


@pytest.mark.parametrize(
    ("dtype", "scale", "problem"),
    [
        ("float32", 1e-38, "too small"),
        ("float32", 1e-42, "too small"),  # denormal
        ("float64", 1e-300, "too small"),
        ("float32", 3e37, "too large"),
        ("float64", 1e300, "too large"),
    ],
)
def test_numbers_beyond_single_precision_are_refused(
    dtype: str, scale: float, problem: str
) -> None:
    scene = scene_from_array((noisy("float64") * scale).astype(dtype), CENTRES)
    assert problem in describe_scene(scene)["warnings"][0]
    with pytest.raises(SceneError, match=rf"{problem} to be counted with; multiply it"):
        learn_spectral_stats([scene])


def test_read_window_keeps_one_value_in_few_bands(tmp_path: Path) -> None:
    path = write_tif(
        tmp_path / "a.tif", np.full((7, 5, 7), 3, "int16"), band_tags=nm_tags(list(CENTRES[:7]))
    )
    assert physical(open_scene(path))[1].all()


def test_read_window_keeps_negative_reflectance(tmp_path: Path) -> None:
    cube = noisy()
    assert (cube < 0).any()
    image, valid = physical(scene_from_array(cube, CENTRES))
    assert valid.all()
    np.testing.assert_array_equal(image, cube)


# Statistics -----------------------------------------------------------------------------------


@pytest.mark.parametrize("spike", [-9999.0, 65535.0, 1e6, -1e8])
def test_spectral_stats_ignore_spikes(spike: float) -> None:
    cube = noisy()
    cube[2, 4, 7] = cube[5, 20, 11] = spike
    holed = cube.copy()
    holed[:, 4, 7] = holed[:, 20, 11] = np.nan
    stats, expected = (
        learn_spectral_stats([scene_from_array(values, CENTRES)]).whitening
        for values in (cube, holed)
    )
    np.testing.assert_array_equal(stats.centre, expected.centre)
    np.testing.assert_array_equal(stats.matrix, expected.matrix)


def test_spectral_stats_keep_frequent_values() -> None:
    cube = noisy()
    cube[2, :, ::3] = 500.0
    stats = learn_spectral_stats([scene_from_array(cube, CENTRES)]).whitening
    np.testing.assert_allclose(stats.centre, cube.mean(axis=(1, 2)), rtol=1e-5)


@pytest.mark.parametrize("dead", [-9999.0, 0.25])
def test_spectral_stats_give_dead_bands_no_weight(dead: float) -> None:
    cube = noisy()
    cube[3] = dead
    whitening = learn_spectral_stats([scene_from_array(cube, CENTRES, nodata=-9999.0)]).whitening
    assert not whitening.matrix[:, 3].any()
    assert whitening.matrix[:, [2, 4]].any(axis=0).all()


# Quality of a scene --------------------------------------------------------------------------


def test_bad_bands_have_a_reason(make_scene: MakeScene) -> None:
    planted = make_scene(bands=12)
    with rasterio.open(planted.path, "r+") as file:
        file.write(np.full(file.shape, -999, np.int16), 3)
        flat = np.where(planted.truth, 812, -999)
        file.write(flat.astype(np.int16), 7)
        file.update_tags(9, bbl="0")
    scene = open_scene(planted.path)
    found = bad_bands(scene, assess_quality(scene))
    assert [(bad.band, bad.why) for bad in found] == [
        (3, "without data"),
        (7, "constant"),
        (9, "by bbl"),
    ]
    assert found[0].centre_nm == pytest.approx(planted.centres_nm[2], abs=1e-3)
    view = select_good_bands(open_scene(planted.path))
    assert [(bad.band, bad.why) for bad in bad_bands(view, assess_quality(view))] == [
        (3, "without data"),
        (7, "constant"),
    ]


@given(
    cuts=st.lists(st.integers(0, 40), max_size=4),
    indices=st.permutations(range(6)),
)
def test_band_ranges_do_not_depend_on_the_parts(cuts: list[int], indices: list[int]) -> None:
    spectra = np.random.default_rng(3).normal(size=(4, 40)).astype(np.float32)
    spectra[1] = 0.25
    present = np.array([True, True, False, True])
    ranges = BandRanges(4)
    for part in np.split(spectra, sorted(cuts), axis=1):
        ranges.update(part, present)
    whole = ranges.expand(np.array(indices[:4]), 6)
    expected = np.full(6, "empty", object)
    expected[indices[:4]] = ["fine", "constant", "empty", "fine"]
    assert whole.empty.tolist() == (expected == "empty").tolist()
    assert whole.constant.tolist() == (expected == "constant").tolist()
    np.testing.assert_array_equal(whole.maximum[indices[0]], spectra[0].max())


def test_bad_bands_of_a_single_pixel_are_not_constant() -> None:
    scene = scene_from_array(np.linspace(0.1, 0.4, 10, dtype=np.float32)[:, None, None], CENTRES)
    assert bad_bands(scene, assess_quality(scene)) == []


def test_assess_quality_of_a_scene_without_data() -> None:
    scene = scene_from_array(np.full((10, 5, 6), np.nan, np.float32), CENTRES)
    seen = assess_quality(scene)
    assert seen.empty.all()
    assert seen.nodata_share == 1.0
    assert kind_of_values(scene, seen) == "no data"


@pytest.mark.parametrize(
    ("cube", "expected"),
    [
        (noisy(), "reflectance from 0 to 1"),
        ((1e4 * noisy()).astype("int16"), "reflectance x 10000, or counts"),
        (80 * noisy(), "radiance, or reflectance in per cent"),
        ((60_000 * noisy()).astype("int32"), "radiance or counts"),
    ],
)
def test_kind_of_values_depends_on_their_range(cube: AnyArray, expected: str) -> None:
    scene = scene_from_array(cube, CENTRES)
    assert kind_of_values(scene, assess_quality(scene)) == expected


def test_kind_of_values_ignores_a_few_spikes() -> None:
    cube = noisy()
    cube[:, 0, :3] = np.linspace(1e5, 2e5, 10)[:, None]
    seen = assess_quality(scene_from_array(cube, CENTRES))
    assert -0.5 < seen.low < seen.high < 2.0


def test_assess_quality_of_integers() -> None:
    assert assess_quality(scene_from_array(cube_of(3), CENTRES[:3])).nodata_share == 0.0
