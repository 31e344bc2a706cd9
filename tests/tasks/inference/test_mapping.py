"""The record of a map has all warnings of the run, not only those of the mapping."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from hsi_geo import Session, adapt, classify, open_scene, predict
from hsi_geo.tasks.predict import MapResult

Planted = Any  # defined in conftest, which tests cannot import
Recorder = Any


def warned_scene(planted: Planted) -> Any:
    return open_scene(planted.path).assign_attrs(warnings=("its header is torn",))


def shots_beside(planted: Planted, tmp_path: Path) -> Path:
    """Shots, one of which lies outside the scene."""
    frame = gpd.read_file(planted.shots(tmp_path / "shots.gpkg", per_class=3))
    left, bottom, _, _ = open_scene(planted.path).hsi.grid.bounds
    beside = frame.iloc[:1].set_geometry([shapely.Point(left - 5000, bottom)], crs=frame.crs)
    path = tmp_path / "beside.gpkg"
    pd.concat([frame, beside]).to_file(path)
    return path


def by_classify(planted: Planted, tmp_path: Path, recorder: Recorder) -> MapResult:
    shots, out = shots_beside(planted, tmp_path), tmp_path / "map.tif"
    result: MapResult = classify(warned_scene(planted), shots, out=out, reporter=recorder)
    return result


def by_session(planted: Planted, tmp_path: Path, recorder: Recorder) -> MapResult:
    with Session(warned_scene(planted), reporter=recorder) as session:
        session.update(shots_beside(planted, tmp_path))
        return session.finish(out=tmp_path / "map.tif")


def by_predict(planted: Planted, tmp_path: Path, recorder: Recorder) -> MapResult:
    model = adapt(planted.path, shots_beside(planted, tmp_path))
    return predict(warned_scene(planted), model, out=tmp_path / "map.tif", reporter=recorder)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("run", "words"),
    [
        pytest.param(by_classify, ["header is torn", "outside the scene"], id="classify"),
        pytest.param(by_session, ["header is torn", "outside the scene"], id="session"),
        pytest.param(by_predict, ["header is torn"], id="predict"),
    ],
)
def test_the_record_has_the_warnings_of_scene_and_shots(
    planted: Planted, tmp_path: Path, recorder: Recorder, run: Any, words: list[str]
) -> None:
    result = run(planted, tmp_path, recorder)
    recorded = json.loads(result.paths.record.read_text(encoding="utf-8"))["warnings"]
    assert result.record["warnings"] == recorded
    assert set(recorded) == set(recorder.warnings)
    assert len(recorded) == len(set(recorded))
    assert all(any(word in one for one in recorded) for word in words)
