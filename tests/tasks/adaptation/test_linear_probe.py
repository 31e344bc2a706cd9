"""Linear probing: a linear head on a frozen encoder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
import torch

from hsi_geo import adapt, classify, predict
from hsi_geo.errors import ModelFileError
from hsi_geo.models.s2former import S2Former
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.tasks.adaptation.recipe import Recipe
from hsi_geo.tasks.artifacts.weights import Weights, load_weights, save_weights

Planted = Any  # defined in conftest, which tests cannot import
MakeScene = Callable[..., Planted]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Random weights, which already separate the planted classes."""
    torch.manual_seed(2)
    config = S2FormerConfig(window_px=8, width=32, depth=2, heads=2)
    path = tmp_path / "weights.safetensors"
    save_weights(Weights(S2Former(config).eval(), {"recipe": {}}), path)
    return path


#: A linear head on the frozen encoder.
LINEAR = Recipe(method="linear")


@pytest.fixture(autouse=True)
def _linear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hsi_geo.tasks.adapt.DEFAULT_RECIPE", LINEAR)


def class_names(path: Path, classes: Any) -> np.ndarray[Any, Any]:
    with rasterio.open(path) as file:
        return np.asarray(np.array(["", *(c.name for c in classes)])[file.read(1)])


def test_linear_probe_classifies_the_planted_scene(
    planted: Planted, weights: Path, tmp_path: Path
) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    result = classify(planted.path, shots, out=tmp_path / "map.tif", weights=weights)
    truth = np.array(["", *planted.names])[planted.truth]
    right = class_names(result.paths.classes, result.classes) == truth
    assert right.mean() > 0.95
    assert result.accuracy.pixels == 12
    assert "cross-validation" in result.accuracy.method
    assert result.record["adaptation"]["parameters"]["weights"]


def test_linear_probe_does_not_change_the_encoder(
    planted: Planted, weights: Path, tmp_path: Path
) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    model = adapt(planted.path, shots, weights=weights, recipe=LINEAR)
    before = load_weights(weights).encoder.state_dict()
    after = model.classifier.backbone.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_linear_probe_with_two_classes_and_an_absent_one(
    planted: Planted, weights: Path, tmp_path: Path
) -> None:
    """For two classes scikit-learn has one row of coefficients; a class without pixels has none."""
    frame = gpd.read_file(planted.shots(tmp_path / "shots.gpkg"))
    frame = frame[frame["class"] != "water"].reset_index(drop=True)
    frame.loc[len(frame)] = ["glacier", shapely.Point(0, 0)]
    frame.set_crs(planted.crs).to_file(tmp_path / "two.gpkg")  # which older pandas lost
    result = classify(planted.path, tmp_path / "two.gpkg", out=tmp_path / "m.tif", weights=weights)
    found = class_names(result.paths.classes, result.classes)
    assert set(found.ravel()) == {"", "asphalt", "meadow"}
    for index, name in enumerate(planted.names[:2], start=1):
        assert (found[planted.truth == index] == name).mean() > 0.9


@pytest.mark.slow
def test_adapt_and_predict_equal_classify(planted: Planted, weights: Path, tmp_path: Path) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    one = classify(planted.path, shots, out=tmp_path / "one.tif", weights=weights)
    adapt(planted.path, shots, out=tmp_path / "model", weights=weights)
    two = predict(planted.path, tmp_path / "model", out=tmp_path / "two.tif")
    assert one.paths.classes.read_bytes() == two.paths.classes.read_bytes()


def test_weights_work_with_another_sensor(
    make_scene: MakeScene, weights: Path, tmp_path: Path
) -> None:
    scene = make_scene("narrow.tif", bands=17)
    result = classify(
        scene.path, scene.shots(tmp_path / "s.gpkg"), out=tmp_path / "m.tif", weights=weights
    )
    truth = np.array(["", *scene.names])[scene.truth]
    assert (class_names(result.paths.classes, result.classes) == truth).mean() > 0.95


def test_file_that_is_not_weights_raises(planted: Planted, tmp_path: Path) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    (tmp_path / "pickle").write_bytes(b"\x80\x04.")
    with pytest.raises(ModelFileError, match="no pickle is ever read"):
        adapt(planted.path, shots, weights=tmp_path / "pickle")
