"""Holding out over plots of a large scene: the pixels are the same ones, and named as a map has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch

from hsi_geo import adapt, predict
from hsi_geo.io.scene import open_scenes
from hsi_geo.io.shots import read_shots
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks import refit
from hsi_geo.tasks.plots import Plots, cut_plots

Planted = Any  # defined in conftest, which tests cannot import


@pytest.fixture
def shots(planted: Planted, tmp_path: Path) -> Path:
    path: Path = planted.shots(tmp_path / "shots.gpkg")
    return path


@pytest.fixture
def plots(planted: Planted, shots: Path) -> Plots:
    """Several, in another order than the scene's."""
    cut = cut_plots(
        open_scenes(planted.path),
        read_shots(shots),
        budget_px=300,
        all_touched=False,
        seed=0,
        reporter=SilentReporter(),
    )
    assert len(cut.plots) > 3
    return cut


def test_shots_are_taken_out_of_whatever_plot_they_lie_in(plots: Plots) -> None:
    labels, features = plots.labels, plots.features
    rows = np.flatnonzero(labels >= 0)
    gone, kept = rows[::3], np.delete(rows, np.s_[::3])
    left = refit._without(plots, gone)
    np.testing.assert_array_equal(np.flatnonzero(left.labels >= 0), kept)
    np.testing.assert_array_equal(left.labels[kept], labels[kept])
    np.testing.assert_array_equal(left.features[kept], features[kept])
    assert (left.features[gone] == -1).all()
    np.testing.assert_array_equal(plots.labels, labels)  # the given ones stay as they were


@pytest.mark.usefixtures("quick")
def test_held_out_pixels_are_named_as_a_map_has_them(
    planted: Planted, shots: Path, plots: Plots, tmp_path: Path
) -> None:
    model = adapt(planted.path, shots)
    mapped = predict(planted.path, model, out=tmp_path / "m.tif", probabilities=True)
    assert mapped.paths.probabilities is not None
    with rasterio.open(mapped.paths.probabilities) as file:
        stored = file.read() / 250.0
    rows = np.random.default_rng(0).permutation(len(plots.labels))[:50]
    found = refit._probabilities(model.classifier, plots, rows, model.tiling, torch.device("cpu"))
    places = np.concatenate(
        [
            np.argwhere(plot.inside) + np.array((plot.reach.row, plot.reach.col))
            for plot in plots.plots
        ]
    )[rows]
    # The statistics of plots are those of the scene.
    wanted = stored[:, places[:, 0], places[:, 1]].T
    np.testing.assert_allclose(found, wanted, atol=0.01)
    assert wanted.max(axis=1).std() > 0.001
