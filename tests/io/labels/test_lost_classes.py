"""Warnings of classes that cover less of the map than their shots do."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from builders import model_for

from hsi_geo import MapOptions, adapt, classify, predict
from hsi_geo.tasks.inference.map_warnings import missing_class_warnings

Planted = Any  # defined in conftest, which tests cannot import
Recorder = Any

LOST = "the map has no pixels of class 'pond', whose shots cover 1"


def with_pond(planted: Planted, path: Path) -> Path:
    """Large polygons of all classes, and one pixel in the middle of one of them that is no pond."""
    frame = gpd.read_file(planted.shots(path, per_class=3))
    frame.geometry = frame.buffer(75.0)
    far = shapely.Point(planted.transform @ (46.5, 30.5))
    frame = frame[frame.distance(far) > 60.0]
    pond = gpd.GeoDataFrame({"class": ["pond"]}, geometry=[far], crs=frame.crs)
    pd.concat([frame, pond]).to_file(path)
    return path


def of(warnings: list[str]) -> list[str]:
    return [text for text in warnings if "whose shots cover" in text]


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_classify_warns_of_a_class_that_is_lost(
    planted: Planted, tmp_path: Path, recorder: Recorder
) -> None:
    shots = with_pond(planted, tmp_path / "shots.gpkg")
    result = classify(planted.path, shots, out=tmp_path / "map.tif", reporter=recorder)
    pond = next(c for c in result.record["classes"] if c["name"] == "pond")
    assert (pond["pixels"], pond["shots"]) == (0, 1)
    (warning,) = of(recorder.warnings)
    assert warning.startswith(LOST)
    assert warning in result.record["warnings"]


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_predict_warns_of_lost_classes_on_whole_scenes_only(
    planted: Planted, tmp_path: Path, halves: list[Path], recorder: Recorder
) -> None:
    shots = with_pond(planted, tmp_path / "shots.gpkg")
    model = adapt(planted.path, shots)
    predict(planted.path, model, out=tmp_path / "map.tif", reporter=recorder)
    assert len(of(recorder.warnings)) == 1
    recorder.warnings.clear()
    predict(halves[0], model, out=tmp_path / "half.tif", reporter=recorder)  # may have no pond
    assert not of(recorder.warnings)
    area = tmp_path / "area.gpkg"
    gpd.GeoDataFrame(geometry=[shapely.box(*planted.transform @ (0, 20), *planted.transform @ (20, 0))], crs=planted.crs).to_file(area)  # fmt: skip
    predict(
        planted.path, model, out=tmp_path / "a.tif", options=MapOptions(aoi=area), reporter=recorder
    )
    assert not of(recorder.warnings)
    classify(halves, shots, out=tmp_path / "maps", reporter=recorder)
    assert len(of(recorder.warnings)) <= 1  # of all maps together


@pytest.mark.parametrize(
    ("shots", "pixels", "messages"),
    [
        ((1, 2000, 4), (0, 1900, 9), ["no pixels of class 'class 1', whose shots cover 1"]),
        ((12, 2000, 4), (5, 1900, 9), ["5 pixels of class 'class 1', whose shots cover 12"]),
        ((12, 2000, 4), (6, 1900, 9), []),
        ((0, 2000, 4), (0, 1900, 9), []),
        ((3, 3, 3), (0, 9, 0), ["no pixels of class 'class 1'", "no pixels of class 'class 3'"]),
    ],
)
def test_lost_classes_compares_map_with_shots(
    planted: Planted, shots: tuple[int, ...], pixels: tuple[int, ...], messages: list[str]
) -> None:
    model = model_for(planted.path)
    counts = {c.name: n for c, n in zip(model.classes, shots, strict=True)}
    model = dataclasses.replace(model, record={**model.record, "shots": counts})
    found = missing_class_warnings(model, np.array([7, *pixels]))
    assert len(found) == len(messages)
    for text, wanted in zip(found, messages, strict=True):
        assert wanted in text
