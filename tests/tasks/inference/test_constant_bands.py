"""Bands that are constant in a scene and varied where the model was adapted: left out and named, or refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from builders import model_for, nm_tags, write_tif

from hsi_geo import open_scene, predict
from hsi_geo.arrays import AnyArray
from hsi_geo.errors import WavelengthError
from hsi_geo.io.scenes.properties import bands_of, select_good_bands
from hsi_geo.models.classifier import band_map, estimate_bands
from hsi_geo.models.whitening import SpectralStats, Whitening
from hsi_geo.tasks.artifacts.model import AdaptedModel
from hsi_geo.tasks.inference.constant_bands import find_constant
from hsi_geo.tasks.inference.scene_scale import match_scale
from hsi_geo.tasks.inference.scene_statistics import learn_spectral_stats

Planted = Any  # defined in conftest, which tests cannot import
Recorder = Any

NODATA = -999


@pytest.fixture
def model(planted: Planted) -> AdaptedModel:
    """A model with the statistics that `adapt` computes."""
    spectral = learn_spectral_stats([select_good_bands(open_scene(planted.path))])
    return dataclasses.replace(model_for(planted.path), spectral=spectral)


@pytest.fixture
def with_bands(planted: Planted, tmp_path: Path) -> Callable[..., Path]:
    """Function that writes the usual scene with one value in some bands, outside of its nodata hole."""

    def write(bands: Sequence[int], value: float, name: str = "other.tif") -> Path:
        cube = planted.values.astype(np.float32)
        hole = (cube == NODATA).all(axis=0)
        for band in bands:
            cube[band] = np.where(hole, NODATA, value)
        tags = nm_tags(list(planted.centres_nm))
        return write_tif(tmp_path / name, cube, band_tags=tags, nodata=NODATA)

    return write


def pixels(path: Path) -> AnyArray:
    with rasterio.open(path) as file:
        return np.asarray(file.read())


def good_bands(planted: Planted) -> AnyArray:
    """Indices in the file of the bands that models use."""
    return np.asarray(bands_of(open_scene(planted.path)).in_order())


@pytest.mark.parametrize("value", [0.0, NODATA, 65535.0], ids=["zero", "nodata", "saturated"])
@pytest.mark.parametrize("chosen", [[0], [-1], [3], [2, 5]])
def test_constant_bands_are_left_out_and_named(
    planted: Planted,
    model: AdaptedModel,
    with_bands: Callable[..., Path],
    tmp_path: Path,
    recorder: Recorder,
    chosen: list[int],
    value: float,
) -> None:
    """Whatever the value, the map is the same: that of a scene without these bands."""
    bands = sorted(good_bands(planted)[chosen])
    found = predict(with_bands(bands, value), model, out=tmp_path / "m.tif", reporter=recorder)
    first = predict(with_bands(bands, 7.0, "seven.tif"), model, out=tmp_path / "n.tif")
    assert np.array_equal(pixels(found.paths.classes), pixels(first.paths.classes))
    named = [text for text in recorder.warnings if "the map is made without " in text]
    assert len(named) == 1
    for band in bands:
        assert f"{band + 1} ({planted.centres_nm[band]:.0f} nm)" in named[0]
    assert {band + 1 for band in bands} <= {one["band"] for one in found.record["bad_bands"]}
    assert named[0] in found.record["warnings"]


def test_the_network_does_without_the_band(planted: Planted, model: AdaptedModel) -> None:
    centres = bands_of(select_good_bands(open_scene(planted.path))).centres_nm
    missing = np.arange(len(centres)) == 4
    config = model.classifier.backbone.config
    wide = band_map(config, model.spectral, centres, missing)
    narrow = band_map(config, model.spectral, centres[~missing])
    assert not wide.matrix[:, 4].any()
    assert np.array_equal(wide.matrix[:, ~missing].numpy(), narrow.matrix.numpy())
    assert np.array_equal(wide.centre[~missing].numpy(), narrow.centre.numpy())


def test_a_scene_that_varies_is_mapped_as_before(
    planted: Planted, model: AdaptedModel, with_bands: Callable[..., Path], recorder: Recorder
) -> None:
    view = select_good_bands(open_scene(with_bands([], 0.0)))
    _, _, constant = match_scale(view, model.spectral, None, None, recorder)
    assert constant is not None
    assert not constant.which.any()
    assert not recorder.warnings


@pytest.mark.parametrize("value", [0.0, NODATA])
def test_too_few_varying_bands_are_refused(
    planted: Planted,
    model: AdaptedModel,
    with_bands: Callable[..., Path],
    tmp_path: Path,
    value: float,
) -> None:
    good = good_bands(planted)
    scene = with_bands(good[: int(0.9 * len(good))], value)
    with pytest.raises(WavelengthError, match=r"in all sampled pixels of bands .* left"):
        predict(scene, model, out=tmp_path / "m.tif")
    assert not (tmp_path / "m.tif").exists()


def correlated(bands: int, seed: int = 3) -> tuple[SpectralStats, AnyArray]:
    """Statistics of bands that depend on two sources, and pixels of them."""
    generator = np.random.default_rng(seed)
    mixing = np.stack([np.linspace(1, 0.1, bands), np.linspace(0.1, 2, bands) ** 2], axis=1)
    sources = generator.gamma(2.0, 100.0, (2, 4000))
    spectra = mixing @ sources + generator.normal(0, 3, (bands, 4000))
    centres = np.linspace(450.0, 1100.0, bands)
    whitening = Whitening(spectra.mean(axis=1), np.eye(bands), np.cov(spectra))
    return SpectralStats(centres, np.full(bands, 10.0), whitening), spectra


@pytest.mark.parametrize("lost", [[0], [4], [2, 8], [6, 7, 8]])
def test_estimated_bands_are_at_least_as_near_as_stated(lost: list[int]) -> None:
    spectral, spectra = correlated(9)
    known = ~np.isin(np.arange(9), lost)
    expected, deviation = estimate_bands(
        spectral, spectral.centres_nm, known, spectra[known], np.zeros(9)
    )
    errors = (spectra[lost] - expected).std(axis=1)
    assert (errors <= 1.05 * deviation).all()
    assert (errors >= 0.6 * deviation).all()


@pytest.mark.parametrize(("value", "fits"), [(0.0, True), (900.0, False)])
def test_constant_bands_that_fit_the_others_are_used(
    planted: Planted, recorder: Recorder, value: float, fits: bool
) -> None:
    """A tile of dark water has 0 in the infrared; 900 there is no value of dark land."""
    from hsi_geo.io.scenes.scene import scene_from_array

    spectral, spectra = correlated(9)
    dark = np.argsort(spectra.sum(axis=0))[:1200].reshape(30, 40)
    cube = 0.05 * spectra[:, dark] + 1.0
    cube[6:] = value
    scene = scene_from_array(cube, spectral.centres_nm, name="tile")
    _, _, constant = match_scale(select_good_bands(scene), spectral, None, 1.0, recorder)
    assert constant is not None
    assert (constant.fit, constant.which.tolist()) == (fits, [False] * 6 + [True] * 3)
    assert constant.missing.any() != fits
    constant.warn(select_good_bands(scene), recorder)
    assert recorder.warnings[-1].endswith(
        "since they fit the other bands" if fits else "without them"
    )


@pytest.mark.parametrize("step", [30.0, 300.0, 3000.0])
def test_estimates_count_the_rounding_of_values(step: float) -> None:
    spectral, spectra = correlated(9)
    known = np.arange(9) != 3
    rounded = np.round(spectra / step) * step
    expected, deviation = estimate_bands(
        spectral, spectral.centres_nm, known, rounded[known], np.full(9, step)
    )
    assert np.sqrt(np.square(rounded[3] - expected).mean()) < 2 * deviation[0]


@pytest.mark.parametrize("change", ["few pixels", "one spectrum", "constant in the model"])
def test_what_is_no_fault_of_a_band(change: str) -> None:
    spectral, spectra = correlated(9)
    spectra[4] = 0
    if change == "few pixels":
        spectra = spectra[:, :20]
    if change == "one spectrum":
        spectra = np.tile(spectra[:, :1], 500)
    if change == "constant in the model":
        covariance = spectral.whitening.covariance.copy()
        covariance[4], covariance[:, 4] = 0, 0
        whitening = dataclasses.replace(spectral.whitening, covariance=covariance)
        spectral = dataclasses.replace(spectral, whitening=whitening)
    found = find_constant(spectra.astype(np.float32), spectral, spectral.centres_nm)
    assert not found.any()
