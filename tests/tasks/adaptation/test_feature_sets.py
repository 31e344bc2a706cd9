"""Feature sets: pixels without data have no effect, and regions have the features of the scene."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from builders import random_encoder, regions_of

from hsi_geo import read_shots
from hsi_geo.errors import SceneError
from hsi_geo.io.scenes.scene import open_scene, open_scenes, scene_from_array
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.adapt import prepare
from hsi_geo.tasks.adaptation import spectral_features
from hsi_geo.tasks.adaptation.encoded_regions import encode_regions
from hsi_geo.tasks.adaptation.feature_cubes import FAMILIARITY_FILTER_PX, filter_pixels
from hsi_geo.tasks.adaptation.pixel_features import compute_pixel_features
from hsi_geo.tasks.adaptation.recipe import Recipe
from hsi_geo.tasks.adaptation.region_cutting import cut_training_regions, whole_scenes
from hsi_geo.tasks.adaptation.spectral_features import SpectralFeatures
from hsi_geo.tasks.inference.encoder_features import scene_features

Planted = Any  # defined in conftest, which tests cannot import

CPU = torch.device("cpu")


@pytest.mark.parametrize("context_px", FAMILIARITY_FILTER_PX.values())
def test_filter_pixels_ignores_pixels_without_data(context_px: float) -> None:
    generator = np.random.default_rng(4)
    valid = generator.random((19, 31)) > 0.3
    inside = valid.copy()
    inside[:, :5] = False
    values = generator.normal(size=(3, 1, 1)).astype(np.float32)
    cube = np.where(valid, values, np.float32(1e4))
    features = filter_pixels([cube], [valid], [inside], context_px)
    assert features.shape == (inside.sum(), 3)
    assert np.allclose(features, values[:, 0, 0], rtol=1e-4)


def test_encode_regions_equals_the_features_of_the_scene(planted: Planted, tmp_path: Path) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    encoder, regions = random_encoder(), regions_of(planted.path, shots, 300)
    features, _ = scene_features(open_scene(planted.path), encoder)
    for region, found in zip(regions.regions, encode_regions(regions, encoder, CPU), strict=True):
        np.testing.assert_allclose(found, features[:, *region.padded_window.slices], atol=1e-4)


def test_features_computed_ahead_are_the_same(planted: Planted, tmp_path: Path) -> None:
    """By `prepare`, in a thread, before the shots are known."""
    shots = planted.shots(tmp_path / "shots.gpkg")
    scenes, encoder = open_scenes([planted.path]), random_encoder()
    prepared = prepare(scenes, None, None)
    regions = cut_training_regions(
        scenes,
        read_shots(shots),
        budget_px=40_000,
        seed=0,
        reporter=SilentReporter(),
        reads=prepared.reads,
    )
    with mock.patch.object(spectral_features, "_whiten_noise", None):  # would raise TypeError
        ahead = prepared.pixel_features(regions, encoder, CPU)
    plain = compute_pixel_features(regions, encoder, CPU)
    for one, other in zip(ahead.inputs, plain.inputs, strict=True):
        np.testing.assert_array_equal(one.features, other.features)
    for graph, of_plain in zip(ahead.graphs, plain.graphs, strict=True):
        assert (graph != of_plain).nnz == 0


def test_features_computed_ahead_are_used_for_the_same_pixels_only(
    planted: Planted, tmp_path: Path
) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    whole, parts = regions_of(planted.path, shots), regions_of(planted.path, shots, 300)
    found = SpectralFeatures(whole)
    assert found.same_pixels(whole)
    assert not found.same_pixels(parts)
    (region,) = whole.regions
    cut = dataclasses.replace(region, inside=np.zeros_like(region.inside))
    assert not found.same_pixels(dataclasses.replace(whole, regions=(cut,)))
    more = dataclasses.replace(whole, regions=(region, region))
    assert not found.same_pixels(more)


def test_scenes_of_which_parts_are_used_have_no_features_ahead(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(budget_px=open_scene(planted.path)[0].size - 1)
    monkeypatch.setattr("hsi_geo.tasks.adapt.DEFAULT_RECIPE", recipe)
    with (
        mock.patch("hsi_geo.tasks.adapt.features_ahead") as compute,
        mock.patch("hsi_geo.tasks.adapt.start_process") as start,
    ):
        prepare(open_scenes([planted.path]), None, None)
    compute.assert_not_called()
    start.assert_not_called()


def test_an_error_of_features_computed_ahead_comes_with_the_features(tmp_path: Path) -> None:
    values = np.tile(np.arange(1.0, 7.0)[:, None, None], (1, 20, 30))
    scene = scene_from_array(values, np.linspace(500.0, 900.0, 6))
    prepared = prepare([scene], None, None)
    regions = whole_scenes([scene], prepared.reads, SilentReporter())
    with pytest.raises(SceneError, match="all the same"):
        prepared.pixel_features(regions, None, CPU)
