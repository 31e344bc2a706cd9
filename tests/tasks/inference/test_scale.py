"""Scenes on another scale than the model: refused or rescaled, with a message."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
from builders import model_for, nm_tags, run, write_tif
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from hsi_geo import open_scene, predict, suggest
from hsi_geo.arrays import AnyArray
from hsi_geo.errors import OptionError, ScaleError
from hsi_geo.io.scenes.properties import bands_of, rescaled, select_good_bands
from hsi_geo.io.scenes.windows import read_window, read_window_and_band_mask
from hsi_geo.models.classifier import resample_stats
from hsi_geo.models.whitening import SpectralStats, Whitening
from hsi_geo.tasks.artifacts.model import AdaptedModel, save_model
from hsi_geo.tasks.artifacts.shot_spectra import ShotSpectra
from hsi_geo.tasks.inference import scene_statistics
from hsi_geo.tasks.inference.domain_shift import DomainShift, measure_domain_shift, sample_scene
from hsi_geo.tasks.inference.map_warnings import describe_drift
from hsi_geo.tasks.inference.novelty import SAMPLE_PX, novelty
from hsi_geo.tasks.inference.scene_scale import require_common_scale
from hsi_geo.tasks.inference.scene_statistics import learn_spectral_stats
from hsi_geo.tiling import Window

Planted = Any  # defined in conftest, which tests cannot import
Change = Callable[[AnyArray], AnyArray]


@pytest.fixture
def model(planted: Planted) -> AdaptedModel:
    """A model with the statistics that `adapt` computes."""
    spectral = learn_spectral_stats([select_good_bands(open_scene(planted.path))])
    return dataclasses.replace(model_for(planted.path), spectral=spectral)


@pytest.fixture
def changed(planted: Planted, tmp_path: Path) -> Callable[..., Path]:
    """Function that writes the usual scene with other values and the same nodata hole."""

    def write(change: Change, dtype: str = "float32", name: str = "other.tif", **how: Any) -> Path:
        values = planted.values.astype(np.float64)
        hole = planted.values == -999
        cube = np.where(hole, -999, change(values)).astype(dtype)
        tags = nm_tags(list(planted.centres_nm))
        return write_tif(tmp_path / name, cube, band_tags=tags, nodata=-999, **how)

    return write


def classes_in(path: Path) -> AnyArray:
    with rasterio.open(path) as file:
        return np.asarray(file.read(1))


FACTORS = (1e-6, 1e-4, 1e-3, 1e-2, 0.1, 10.0, 100.0, 1e3, 1e4)


@pytest.mark.parametrize("factor", FACTORS)
def test_predict_refuses_a_power_of_ten_and_names_the_factor(
    model: AdaptedModel, changed: Callable[..., Path], tmp_path: Path, factor: float
) -> None:
    other = changed(lambda values: values * factor)
    out = tmp_path / "map.tif"
    plain = np.format_float_positional(float(f"{1 / factor:.6g}"), trim="-")
    with pytest.raises(ScaleError, match=f'rescale={plain} or rescale="auto"') as caught:
        predict(other, model, out=out)
    times = f"{max(factor, 1 / factor):,.0f} times {'larger' if factor > 1 else 'smaller'}"
    assert times in str(caught.value)
    assert caught.value.code == "scale"
    assert not out.exists()


@pytest.mark.parametrize("given", ["auto", "factor"])
@pytest.mark.parametrize("factor", FACTORS)
def test_predict_with_rescale_gives_the_same_map(
    planted: Planted,
    model: AdaptedModel,
    changed: Callable[..., Path],
    tmp_path: Path,
    factor: float,
    given: str,
) -> None:
    other = changed(lambda values: values * factor)
    rescale: Any = "auto" if given == "auto" else 1 / factor
    plain = predict(planted.path, model, out=tmp_path / "plain.tif")
    found = predict(other, model, out=tmp_path / "map.tif", rescale=rescale)
    same = classes_in(tmp_path / "map.tif") == classes_in(tmp_path / "plain.tif")
    assert same.mean() > 0.999  # rounding decides where two classes are equally likely
    assert found.record["parameters"]["rescale"] == pytest.approx(1 / factor)
    assert plain.record["parameters"]["rescale"] is None


def test_rescale_auto_does_not_change_a_scene_on_the_models_scale(
    planted: Planted, model: AdaptedModel, tmp_path: Path
) -> None:
    found = predict(planted.path, model, out=tmp_path / "map.tif", rescale="auto")
    assert found.record["parameters"]["rescale"] is None


def test_declared_scale_and_offset_are_applied(
    planted: Planted, model: AdaptedModel, changed: Callable[..., Path], tmp_path: Path
) -> None:
    """The file declares how stored values are converted to physical ones."""
    bands = len(planted.values)
    other = changed(lambda values: values * 1e-4, scales=[1e4] * bands)
    predict(other, model, out=tmp_path / "map.tif")
    shifted = changed(lambda values: values - 7000, name="b.tif", offsets=[7000.0] * bands)
    predict(shifted, model, out=tmp_path / "b_map.tif")


def test_predict_refuses_a_wrong_factor_and_names_the_right_one(
    model: AdaptedModel, changed: Callable[..., Path], tmp_path: Path
) -> None:
    other = changed(lambda values: values * 1e-4)
    with pytest.raises(ScaleError, match=r"after they were multiplied by 100.*rescale=10000 "):
        predict(other, model, out=tmp_path / "map.tif", rescale=100)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values + 1000, "about 1,000 above"),
        (lambda values: values - 700, "about 700 below"),
        (lambda values: values + 8000, "above|standard deviations"),
        (lambda values: values / 65535, "about 6[56],000 times smaller.*no power of ten explains"),
        (lambda values: values * 327.0, "about 330 times larger.*no power of ten explains"),
        (lambda values: values - values.mean(axis=(1, 2), keepdims=True), "not above 0|deviations"),
        (lambda values: -values, "not above 0"),
        (
            lambda values: values + np.where(np.arange(len(values)) % 3, 1500, -900)[:, None, None],
            "standard deviations",
        ),
        (lambda values: values[::-1], "standard deviations"),
    ],
)
def test_predict_refuses_other_differences_and_names_restat(
    model: AdaptedModel, changed: Callable[..., Path], tmp_path: Path, change: Change, message: str
) -> None:
    other = changed(change)
    with pytest.raises(ScaleError, match=f"({message}).*restat=True"):
        predict(other, model, out=tmp_path / "map.tif")
    predict(other, model, out=tmp_path / "map.tif", restat=True)


def with_clouds(values: AnyArray) -> AnyArray:
    cloudy = values.copy()
    cloudy[:, :20, :30] = 7000 + 400 * np.random.default_rng(1).normal(size=(20, 30))
    return cloudy


ORDINARY: dict[str, Change] = {
    "darker": lambda values: values * 0.5,
    "brighter": lambda values: values * 2.0,
    "a little noise": lambda v: v + np.random.default_rng(0).normal(0, 60, v.shape),
    "clouds": with_clouds,
    "one class": lambda v: v[:, 24:36, 2:40].repeat(4, axis=1)[:, :37].repeat(2, axis=2)[..., :53],
}


@pytest.mark.parametrize("kind", ORDINARY)
def test_predict_maps_ordinary_tiles(
    model: AdaptedModel, changed: Callable[..., Path], tmp_path: Path, kind: str
) -> None:
    predict(changed(ORDINARY[kind]), model, out=tmp_path / "map.tif")


@pytest.mark.parametrize(
    ("level", "distance", "novelty", "drifts"),
    [
        (0.0, 0.5, 0.01, False),
        (-0.6, 1.9, 0.3, False),
        (-0.8, 0.5, 0.01, True),
        (0.8, 0.5, None, True),
        (0.0, 2.1, 0.01, True),
        (0.0, 0.5, 0.31, True),
    ],
)
def test_drifts_depends_on_level_distance_and_novelty(
    level: float, distance: float, novelty: float | None, drifts: bool
) -> None:
    found = DomainShift(500, level, 1.0, distance, None, False, novelty)
    assert found.drifts is drifts
    text = describe_drift(found)
    assert ("times smaller" in text) == (level < -0.7)
    assert ("unlike every shot" in text) == (novelty is not None)


@pytest.mark.slow
def test_predict_checks_a_tile_with_data_in_one_corner(
    planted: Planted, model: AdaptedModel, tmp_path: Path
) -> None:
    cube = np.full((len(planted.values), 400, 700), -999, np.float32)
    cube[:, 300:310, 500:512] = planted.values[:, 10:20, 20:32] * 1e-4
    tags = nm_tags(list(planted.centres_nm))
    other = write_tif(tmp_path / "rim.tif", cube, band_tags=tags, nodata=-999)
    with pytest.raises(ScaleError, match="rescale=10000"):
        predict(other, model, out=tmp_path / "map.tif")


@pytest.mark.parametrize("size", [0, 3])
def test_scale_that_was_not_compared_is_a_warning(
    planted: Planted,
    model: AdaptedModel,
    changed: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
) -> None:
    """Only if pixels were mapped: a tile without any data needs no scale."""
    monkeypatch.setattr(
        "hsi_geo.tasks.inference.scene_scale.sample_scene",
        lambda view: np.empty((len(view), 0), np.float32),
    )

    def only_corner(values: AnyArray) -> AnyArray:
        kept = np.full_like(values, -999)
        kept[:, :size, :size] = values[:, :size, :size]
        return kept

    found = predict(changed(only_corner), model, out=tmp_path / "map.tif")
    warnings = [text for text in found.record["warnings"] if "was not compared" in text]
    assert len(warnings) == (size > 0)
    assert found.record["domain_shift"] is None


@pytest.mark.parametrize("rescale", ["auto", 10000, "1e4"])
def test_restat_and_rescale_exclude_each_other(
    planted: Planted, model: AdaptedModel, tmp_path: Path, rescale: Any
) -> None:
    with pytest.raises(OptionError, match="restat=True and rescale="):
        predict(planted.path, model, out=tmp_path / "map.tif", restat=True, rescale=rescale)


@pytest.mark.parametrize("rescale", ["often", "0", -3, float("nan"), float("inf"), "1,000", ""])
def test_invalid_rescale_raises(
    planted: Planted, model: AdaptedModel, tmp_path: Path, rescale: Any
) -> None:
    with pytest.raises(OptionError, match="is no factor; give a number above 0"):
        predict(planted.path, model, out=tmp_path / "map.tif", rescale=rescale)


def test_an_invalid_rescale_is_named_as_an_argument(
    planted: Planted, model: AdaptedModel, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match="rescale='1,000' is no factor"):
        predict(planted.path, model, out=tmp_path / "map.tif", rescale="1,000")  # type: ignore[arg-type]


def test_command_rescales_and_logs_the_factor(
    model: AdaptedModel, changed: Callable[..., Path], tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    save_model(model, path)
    other = changed(lambda values: values * 1e-4)
    refused = run("predict", other, "--model", path, "-o", tmp_path / "map.tif")
    assert refused.exit_code == 1
    assert "--rescale 10000" in refused.stderr
    done = run("predict", other, "--model", path, "-o", tmp_path / "map.tif", "--rescale", "auto")
    assert done.exit_code == 0, done.output
    assert "values were multiplied by 10000" in done.stderr
    points = tmp_path / "points.gpkg"
    refused = run("suggest", other, "--model", path, "-n", 3, "-o", points)
    assert refused.exit_code == 1
    assert "--rescale 10000" in refused.stderr
    done = run("suggest", other, "--model", path, "-n", 3, "-o", points, "--rescale", 10000)
    assert done.exit_code == 0, done.output


def test_suggest_with_rescale_gives_the_same_points(
    planted: Planted, model: AdaptedModel, changed: Callable[..., Path]
) -> None:
    other = changed(lambda values: values * 2)
    expected = suggest(planted.path, model, count=4).points
    assert suggest(other, model, count=4, rescale=0.5).points == expected


def test_require_common_scale_refuses_a_power_of_ten(
    planted: Planted, changed: Callable[..., Path]
) -> None:
    views = [
        select_good_bands(open_scene(path))
        for path in (
            planted.path,
            changed(lambda v: v * 1.4),
            changed(lambda v: v / 1e4, name="c.tif"),
        )
    ]
    require_common_scale(views[:2])
    for pair, times in ((views[::2], "smaller"), (views[:0:-1], "larger")):
        with pytest.raises(ScaleError, match=f"10,000 times {times} than scene"):
            require_common_scale(pair)


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(power=st.integers(-8, 8), brightness=st.floats(0.75, 1.35), seed=st.integers(0, 99))
@pytest.mark.slow
def test_measure_domain_shift_finds_the_power_of_ten_at_any_brightness(
    planted: Planted, power: int, brightness: float, seed: int
) -> None:
    view = select_good_bands(open_scene(planted.path))
    stats = resample_stats(learn_spectral_stats([view]), bands_of(view).centres_nm)
    spectra = sample_scene(view)
    some = np.random.default_rng(seed).choice(spectra.shape[1], 300)
    scaled = spectra[:, some] * np.float32(brightness * 10.0**power)
    found = measure_domain_shift(stats, scaled, stats.whiten(scaled))
    assert found.factor == pytest.approx(10.0**power)
    assert not (power == 0 and found.drifts)


def test_a_small_scene_is_sampled_by_one_read(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pixels are those of many windows; a scene that is not small is never read at once."""
    view = select_good_bands(open_scene(planted.path))
    sizes = []

    def noted(view: xr.DataArray, window: Window) -> object:
        sizes.append((window.height, window.width))
        return read_window_and_band_mask(view, window)

    monkeypatch.setattr(scene_statistics, "read_window_and_band_mask", noted)
    at_once = scene_statistics.sample_spectra(view, 2304, 4)
    assert sizes == [view.shape[-2:]]
    monkeypatch.setattr(scene_statistics, "SMALL_BYTES", 0)
    apart = scene_statistics.sample_spectra(view, 2304, 4)
    assert max(sizes[1:]) == (4, 4)
    order, other = (np.lexsort(pixels) for pixels in (at_once, apart))
    np.testing.assert_array_equal(at_once[:, order], apart[:, other])


@pytest.mark.parametrize("per_band", [False, True])
def test_rescaled_keeps_missing_values(tmp_path: Path, per_band: bool) -> None:
    cube = np.arange(1, 61, dtype=np.int16).reshape(3, 4, 5)
    cube[:, 1, 2] = -9
    scales = [2.0, 3.0, 4.0] if per_band else [2.0] * 3
    path = write_tif(
        tmp_path / "a.tif",
        cube,
        band_tags=nm_tags([450.0, 550.0, 650.0]),
        nodata=-9,
        scales=scales,
        offsets=[1.0] * 3,
    )
    scene = open_scene(path)
    whole = Window(0, 0, 4, 5)
    image, valid = read_window(scene, whole)
    other, still = read_window(rescaled(scene, 100.0), whole)
    np.testing.assert_allclose(other, image * 100.0)
    np.testing.assert_array_equal(still, valid)
    assert rescaled(scene, 1.0) is scene
    bare = scene.drop_attrs().drop_vars("scale_factor", errors="ignore")
    array = rescaled(bare.assign_attrs(source="array"), 10.0)
    np.testing.assert_allclose(read_window(array, whole)[0], cube.astype(np.float32) * 10.0)


@pytest.mark.parametrize("count", [31, 5000])
def test_novelty_is_the_share_of_pixels_far_from_every_shot(count: int) -> None:
    """With distances that scipy computes one by one."""
    generator = np.random.default_rng(3)
    factor = generator.normal(size=(6, 6))
    centre = np.array([0.0, 10.0, 20.0, 30.0, 40.0, 50.0])
    whitening = Whitening(centre, generator.normal(size=(6, 6)), factor @ factor.T + np.eye(6))
    spectral = SpectralStats(np.linspace(500.0, 1000.0, 6), np.full(6, 10.0), whitening)
    stats = resample_stats(spectral, spectral.centres_nm)
    spectra = (centre[:, None] + factor @ generator.normal(size=(6, count))).astype(np.float32)
    shots = ShotSpectra(np.ascontiguousarray(spectra[:, :7].T), radius=0.8)
    chosen = np.linspace(0, count - 1, min(count, SAMPLE_PX)).round().astype(int)
    scores = whitening.matrix @ (spectra - centre[:, None]) / stats.whitened_std[:, None]
    distances = cdist(scores.T[chosen], scores.T[:7]).min(axis=1) / np.sqrt(6)
    expected = (distances > 0.8).mean()
    assert 0.05 < expected < 0.95
    assert novelty(spectral, stats, shots, stats.whiten(spectra)) == pytest.approx(expected)
