"""Cross-validation over the regions of a large scene: pixels and predictions are those of a map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch

from hsi_geo import MapOptions, adapt, predict
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.scenes.scene import open_scenes
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.adaptation import cross_validation as module
from hsi_geo.tasks.adaptation.region_cutting import cut_training_regions
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions

Planted = Any  # defined in conftest, which tests cannot import


@pytest.fixture
def shots(planted: Planted, tmp_path: Path) -> Path:
    path: Path = planted.shots(tmp_path / "shots.gpkg")
    return path


@pytest.fixture
def regions(planted: Planted, shots: Path) -> TrainingRegions:
    """Several regions, in another order than the scene's."""
    cut = cut_training_regions(
        open_scenes(planted.path),
        read_shots(shots),
        budget_px=300,
        seed=0,
        reporter=SilentReporter(),
    )
    assert len(cut.regions) > 3
    return cut


def test_without_shots_removes_labels_in_all_regions(regions: TrainingRegions) -> None:
    labels, features = regions.labels, regions.features
    rows = np.flatnonzero(labels >= 0)
    removed, kept = rows[::3], np.delete(rows, np.s_[::3])
    left = module._without_shots(regions, removed)
    np.testing.assert_array_equal(np.flatnonzero(left.labels >= 0), kept)
    np.testing.assert_array_equal(left.labels[kept], labels[kept])
    np.testing.assert_array_equal(left.features[kept], features[kept])
    assert (left.features[removed] == -1).all()
    np.testing.assert_array_equal(regions.labels, labels)  # the given regions are not changed


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_predict_equals_a_map(
    planted: Planted, shots: Path, regions: TrainingRegions, tmp_path: Path
) -> None:
    model = adapt(planted.path, shots)
    mapped = predict(
        planted.path, model, out=tmp_path / "m.tif", options=MapOptions(probabilities=True)
    )
    assert mapped.paths.probabilities is not None
    with rasterio.open(mapped.paths.probabilities) as file:
        stored = file.read() / 250.0
    rows = np.random.default_rng(0).permutation(len(regions.labels))[:50]
    found = module._predict(model.classifier, regions, rows, model.tiling, torch.device("cpu"))
    positions = np.concatenate(
        [
            np.argwhere(region.inside)
            + np.array((region.padded_window.row, region.padded_window.col))
            for region in regions.regions
        ]
    )[rows]
    # Regions have the statistics of the scene.
    expected = stored[:, positions[:, 0], positions[:, 1]].T
    np.testing.assert_allclose(found, expected, atol=0.01)
    assert expected.max(axis=1).std() > 0.001
