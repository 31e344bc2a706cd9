"""Warnings of classes that cover less of the map than their shots do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely

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


def record_of(shots: tuple[int, ...], pixels: tuple[int, ...], **parameters: Any) -> dict[str, Any]:
    """The part of a map's record that tells of its classes."""
    classes = [
        {"id": i, "name": f"class {i}", "shots": drawn, "pixels": mapped}
        for i, (drawn, mapped) in enumerate(zip(shots, pixels, strict=True), start=1)
    ]
    return {"classes": classes, "parameters": parameters}


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
    shots: tuple[int, ...], pixels: tuple[int, ...], messages: list[str]
) -> None:
    found = missing_class_warnings([record_of(shots, pixels)])
    assert len(found) == len(messages)
    for text, wanted in zip(found, messages, strict=True):
        assert wanted in text
        assert text.endswith("draw more of it, or fewer of the other classes")


def test_lost_classes_are_those_of_all_maps_together() -> None:
    parts = [record_of((12, 9, 3), (5, 3, 0)), record_of((12, 9, 3), (1, 1, 2))]
    (text,) = missing_class_warnings(parts)
    assert "4 pixels of class 'class 2', whose shots cover 9" in text


BOTH = {"reject": "auto", "min_confidence": 0.5}
AREA = {"min_area": "9px"}


@pytest.mark.parametrize(
    ("mapped", "before", "rejected", "parameters", "reason"),
    [
        (0, 8, 8, {"reject": 0.2}, "all 8 pixels of it were rejected (--reject)"),
        (1, 8, 7, BOTH, "7 of its 8 pixels were rejected (--reject or --min-confidence)"),
        (0, 8, 0, AREA, "all 8 pixels of it were given to their neighbours (--min-area)"),
        (0, 5, 4, {**BOTH, **AREA}, "4 of its 5 pixels were rejected (--reject or --min-confidence), and 1 of its 5 pixels was given to their neighbours (--min-area)"),
        (3, 9, 7, {**BOTH, **AREA}, "7 of its 9 pixels were rejected (--reject or --min-confidence)"),
        (2, 3, 1, BOTH, None),  # the model never gave it half of its shots
        (0, 0, 0, {**BOTH, **AREA}, None),
    ],
)  # fmt: skip
def test_a_class_that_options_removed_is_not_lost_to_the_others(
    mapped: int, before: int, rejected: int, parameters: dict[str, Any], reason: str | None
) -> None:
    record = record_of((8, 4, 3), (mapped, 90, 20), **parameters)
    record["classes"][0] |= {"pixels_before": before, "rejected_pixels": rejected}
    (text,) = missing_class_warnings([record])
    start = f"the map has {mapped or 'no'} pixel{'' if mapped == 1 else 's'} of class 'class 1', whose shots cover 8: "
    if reason is None:
        assert text == f"{start}draw more of it, or fewer of the other classes"
    else:
        assert text == f"{start}{reason}; give a smaller value to keep more"


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"min_confidence": 1.0}, "were rejected (--min-confidence)"),
        ({"min_area": "500px", "reject": 0.0}, "given to their neighbours (--min-area)"),
    ],
)
def test_classify_says_which_option_removed_a_class(
    planted: Planted, tmp_path: Path, recorder: Recorder, options: dict[str, Any], reason: str
) -> None:
    out = tmp_path / "map.tif"
    shots = planted.shots(tmp_path / "shots.gpkg", per_class=5)
    made = classify(planted.path, shots, out=out, options=MapOptions(**options), reporter=recorder)
    lost = of(recorder.warnings)
    assert lost and all(reason in text for text in lost)
    assert lost == of(made.record["warnings"])
