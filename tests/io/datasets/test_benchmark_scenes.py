"""Benchmark scenes, and the accuracy of frozen features on a scene."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import pytest
import torch
from hsi_geo.cli.benchmark import command as benchmark

from hsi_geo.errors import OptionError, SceneError
from hsi_geo.io.datasets.benchmark_scenes import LOADERS, load_benchmark_scene
from hsi_geo.io.scenes.properties import bands_of, grid_of, select_good_bands
from hsi_geo.io.scenes.scene import scene_from_array
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.models.s2former import S2Former
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.tasks.benchmarking.linear_probe import linear_probe_accuracy
from hsi_geo.tasks.inference.encoder_features import random_encoder_like, scene_features
from hsi_geo.tiling import Window

#: Rows, columns, bands, labelled pixels and classes, from the pages of the publishers.
KNOWN = {
    "indian_pines": (145, 145, 200, 10249, 16),
    "simulated_fields": (200, 180, 234, 12677, 12),
    "enmap_berlin": (80, 60, 177, 832, 6),
    "jasper_ridge": (100, 100, 198, 10000, 4),
    "samson": (95, 95, 156, 9025, 3),
}


@pytest.mark.parametrize("name", LOADERS)
def test_benchmark_scenes_have_the_published_sizes(name: str, data: Path) -> None:
    rows, cols, bands, labelled, classes = KNOWN[name]
    loaded = load_benchmark_scene(name, data)
    assert loaded.scene.shape == (bands, rows, cols)
    assert loaded.labels.shape == (rows, cols)
    assert (loaded.labels > 0).sum() == labelled
    assert loaded.labels.max() == classes
    image, valid = read_window(select_good_bands(loaded.scene), Window(0, 0, rows, cols))
    assert np.isfinite(image).all()
    assert valid[loaded.labels > 0].all()


def test_help_of_benchmark_names_all_scenes() -> None:
    """The help does not import the loaders."""
    (option,) = [o for o in benchmark.params if o.name == "scenes"]
    assert isinstance(option, click.Option)
    assert option.help == f"Scenes: {', '.join(LOADERS)}."


def test_load_benchmark_scene_refuses_unknown_and_missing_scenes(tmp_path: Path) -> None:
    with pytest.raises(
        OptionError, match=r"no benchmark scene 'pavia'; choose one of indian_pines"
    ):
        load_benchmark_scene("pavia", tmp_path)
    with pytest.raises(OptionError, match="'jasper_ridge' is not in"):
        load_benchmark_scene("jasper_ridge", tmp_path)
    assert load_benchmark_scene("indian_pines", None).labels.max() == 16


def test_scene_from_array_of_three_bands() -> None:
    values = np.arange(3 * 5 * 4, dtype=np.int16).reshape(3, 5, 4)
    scene = scene_from_array(values, np.array([700.0, 500.0, 600.0]), nodata=0, name="mine")
    assert grid_of(scene).shape == (5, 4)
    assert bands_of(select_good_bands(scene)).centres_nm.tolist() == [500.0, 600.0, 700.0]
    image, valid = read_window(scene, Window(0, 0, 5, 4))
    assert valid.all(), "a pixel with data in any band counts"
    assert image[0, 0, 0] == image[1, 0, 0], "and its gap takes the nearest band's value"
    with pytest.raises(SceneError, match=r"shape \(3, 5, 4\) and there are 2 band centres"):
        scene_from_array(values, np.array([1.0, 2.0]))


def test_features_separate_classes() -> None:
    """Half of a scene is brighter in its first bands; labels follow it."""
    generator = np.random.default_rng(0)
    values = generator.normal(size=(12, 24, 31)).astype(np.float32) + 10.0
    values[:5, :, 15:] += 4.0
    scene = scene_from_array(values, np.linspace(450, 900, 12), name="halves")
    labels = np.ones((24, 31), np.int64)
    labels[:, 15:] = 2
    torch.manual_seed(0)
    config = S2FormerConfig(window_px=8, width=16, depth=1, heads=2)
    encoder = random_encoder_like(S2Former(config), 3)
    features, valid = scene_features(scene, encoder)
    assert features.shape == (16, 24, 31)
    assert valid.all()
    assert linear_probe_accuracy(features, labels, 5, 1330) > 0.9
    shuffled = generator.permutation(labels.ravel()).reshape(labels.shape)
    assert linear_probe_accuracy(features, shuffled, 5, 1330) < 0.65


def test_a_scene_without_a_folder_asks_for_one() -> None:
    with pytest.raises(OptionError, match="'enmap_berlin' needs a folder of scenes") as caught:
        load_benchmark_scene("enmap_berlin", None)
    assert "--data" in str(caught.value.hint)
