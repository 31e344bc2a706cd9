"""Models and weights on scenes with slightly or completely different bands."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr

from hsi_geo import adapt, open_scene, predict
from hsi_geo.io.datasets.benchmark_scenes import load_benchmark_scene
from hsi_geo.io.scenes.properties import bands_of
from hsi_geo.io.scenes.scene import scene_from_array
from hsi_geo.models.classifier import band_map
from hsi_geo.models.s2former import S2Former
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.models.whitening import SpectralStats, Whitening
from hsi_geo.tasks.adapt import DEFAULT_RECIPE
from hsi_geo.tasks.artifacts.weights import load_weights
from hsi_geo.tasks.benchmarking.linear_probe import linear_probe_accuracy
from hsi_geo.tasks.benchmarking.protocol import draw_shots, shots_at
from hsi_geo.tasks.inference.encoder_features import scene_features
from hsi_geo.wavelengths import interpolation_matrix

Changed = Callable[[xr.DataArray], xr.DataArray]


def without_a_tenth(scene: xr.DataArray) -> xr.DataArray:
    bands = scene.sizes["band"]
    keep = np.random.default_rng(0).permutation(bands)[bands // 10 :]
    return scene.isel(band=np.sort(keep))


def shifted(nm: float) -> Changed:
    def change(scene: xr.DataArray) -> xr.DataArray:
        return scene.assign_coords(wavelength=("band", scene.wavelength.values + nm))

    return change


def permuted(scene: xr.DataArray) -> xr.DataArray:
    return scene.isel(band=np.random.default_rng(1).permutation(scene.sizes["band"]))


@pytest.mark.parametrize(
    "method",
    ["linear", pytest.param("daft", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize(
    "name", ["indian_pines", pytest.param("simulated_fields", marks=pytest.mark.slow)]
)
@pytest.mark.slow
def test_model_is_robust_to_small_changes_of_the_sensor(
    name: str, method: Any, data: Path, tmp_path: Path
) -> None:
    benchmark = load_benchmark_scene(name, data)
    scene, labels = benchmark.scene, benchmark.labels
    shots = draw_shots(labels, 5, 1330)
    recipe = dataclasses.replace(DEFAULT_RECIPE, method=method)
    model = adapt(scene, shots_at(scene, labels, shots), recipe=recipe)
    test = np.setdiff1d(np.flatnonzero(labels), shots)

    def mapped(change: Changed) -> Any:
        result = predict(change(scene), model, out=tmp_path / "map.tif", overwrite=True)
        values = np.array([0, *(c.value for c in result.classes)])
        with rasterio.open(tmp_path / "map.tif") as file:
            return values[file.read(1)]

    def accuracy(classes: Any) -> float:
        return float((classes.ravel()[test] == labels.ravel()[test]).mean())

    same = mapped(lambda scene: scene)
    assert (mapped(permuted) == same).all()
    for change in (without_a_tenth, shifted(2.0), shifted(-2.0)):
        assert abs(accuracy(mapped(change)) - accuracy(same)) < 0.01


@pytest.fixture(scope="module")
def from_aviris(data: Path, tmp_path_factory: pytest.TempPathFactory) -> S2Former:
    """Weights after a few steps on the 200 bands of Indian Pines."""
    pytest.importorskip("lightning", reason="needs the extra pretrain")
    from hsi_geo import pretrain

    out = tmp_path_factory.mktemp("weights") / "aviris.safetensors"
    scene = load_benchmark_scene("indian_pines", data).scene
    pretrain(scene, out, steps=30, batch=8, accelerator="cpu")
    return load_weights(out).encoder


def test_weights_of_200_bands_work_with_103_vnir_bands(from_aviris: S2Former, data: Path) -> None:
    samson = load_benchmark_scene("samson", data)
    wanted = np.linspace(430.0, 860.0, 103)
    placed = interpolation_matrix(bands_of(samson.scene).centres_nm, wanted)
    vnir = np.einsum("tc,chw->thw", placed, samson.scene.values.astype(np.float32))
    features, _ = scene_features(scene_from_array(vnir, wanted, name="vnir"), from_aviris)
    assert np.isfinite(features).all()
    assert linear_probe_accuracy(features, samson.labels, 5, 1330) > 0.85


def test_weights_of_200_bands_work_with_426_neon_bands(from_aviris: S2Former, data: Path) -> None:
    table = data / "wavelengths" / "neon_sjer_ex.csv"
    scene = open_scene(data / "awkward" / "neon_no_crs.tif", wavelengths=str(table))
    assert scene.sizes["band"] == 426
    features, valid = scene_features(scene, from_aviris)
    assert np.isfinite(features).all()
    # There are no labels: brightness must be a linear function of the features.
    brightness = scene.sel(band=scene.band[30:90]).values.astype(np.float64).mean(axis=0)[valid]
    design = np.c_[features[:, valid].T, np.ones(int(valid.sum()))]
    train, test = np.arange(valid.sum()) % 2 == 0, np.arange(valid.sum()) % 2 == 1
    found = np.linalg.lstsq(design[train], brightness[train])[0]
    residual = brightness[test] - design[test] @ found
    assert residual.var() < 0.2 * brightness[test].var()


def test_band_map_estimates_missing_bands_from_correlated_ones() -> None:
    generator = np.random.default_rng(3)
    centres = np.linspace(420.0, 1400.0, 50)
    mixing = generator.normal(size=(50, 4))
    spectra = 500.0 + mixing @ generator.normal(size=(4, 2000))
    whitening = Whitening(spectra.mean(axis=1), np.eye(50), np.cov(spectra))
    spectral = SpectralStats(centres, np.full(50, 15.0), whitening)
    config = S2FormerConfig()
    keep = np.sort(generator.permutation(50)[:40])
    whole = band_map(config, spectral, centres)
    part = band_map(config, spectral, centres[keep])
    x = spectra[:, :7].astype(np.float32)
    wanted = whole.matrix.numpy() @ (x - whole.centre.numpy()[:, None])
    found = part.matrix.numpy() @ (x[keep] - part.centre.numpy()[:, None])
    np.testing.assert_allclose(found, wanted, atol=0.02 * np.abs(wanted).max())


def test_band_map_matches_bands_where_detectors_overlap() -> None:
    centres = np.array([676.6, 686.5, 686.9, 696.5, 696.6, 706.2, 715.8])
    spectral = SpectralStats(
        centres, np.full(7, 9.6), Whitening(np.zeros(7), np.eye(7), np.eye(7) + 0.5)
    )
    same = band_map(S2FormerConfig(), spectral, centres)
    moved = band_map(S2FormerConfig(), spectral, centres + 2.0)
    np.testing.assert_allclose(moved.matrix.numpy(), same.matrix.numpy(), atol=1e-6)
