"""FeatureSets: what lies in a hole is not looked at, and regions see what the whole scene would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import plots_of, random_encoder

from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.tasks.adaptation import feature_sets as views
from hsi_geo.tasks.adaptation.feature_sets import COMPARED_PX, encode_regions
from hsi_geo.tasks.inference.encoder_features import scene_features

Planted = Any  # defined in conftest, which tests cannot import

CPU = torch.device("cpu")


@pytest.mark.parametrize("context_px", COMPARED_PX.values())
def test_filters_do_not_look_into_holes(context_px: float) -> None:
    generator = np.random.default_rng(4)
    valid = generator.random((19, 31)) > 0.3
    inside = valid.copy()
    inside[:, :5] = False
    values = generator.normal(size=(3, 1, 1)).astype(np.float32)
    cube = np.where(valid, values, np.float32(1e4))
    table = views._table([cube], [valid], [inside], context_px)
    assert table.shape == (inside.sum(), 3)
    assert np.allclose(table, values[:, 0, 0], rtol=1e-4)


def test_features_belong_to_the_scene_and_not_to_a_plot(planted: Planted, tmp_path: Path) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    encoder, regions = random_encoder(), plots_of(planted.path, shots, 300)
    features, _ = scene_features(open_scene(planted.path), encoder)
    for region, found in zip(regions.regions, encode_regions(regions, encoder, CPU), strict=True):
        np.testing.assert_allclose(found, features[:, *region.reach.slices], atol=1e-4)
