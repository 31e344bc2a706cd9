"""Feature sets: pixels without data have no effect, and regions have the features of the scene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import random_encoder, regions_of

from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.tasks.adaptation.feature_cubes import encode_regions, filter_pixels
from hsi_geo.tasks.adaptation.feature_sets import FAMILIARITY_FILTER_PX
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
