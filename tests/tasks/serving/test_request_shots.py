"""Shots inside a request: their frame, and the names of their classes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from shots_cases import GRID

from hsi_geo.io.labels.shot_pixels import burn
from hsi_geo.tasks.serving.request_shots import read_request_shots

#: Pixels of `GRID` as (row, column).
SPOTS = ((1, 2), (3, 5), (8, 11))


def request(names: list[str], **more: Any) -> dict[str, Any]:
    features = []
    for (row, col), name in zip(SPOTS, names, strict=True):
        x, y = GRID.transform @ (col + 0.5, row + 0.5)
        geometry = {"type": "Point", "coordinates": [x, y]}
        features.append({"type": "Feature", "geometry": geometry, "properties": {"class": name}})
    shots = {"type": "FeatureCollection", "features": features, **more}
    return {"shots": shots, "class_field": "class"}


@pytest.mark.parametrize("has_crs", [False, True], ids=["without", "with"])
def test_a_null_crs_is_the_frame_of_the_scene(tmp_path: Path, has_crs: bool) -> None:
    grid = GRID if has_crs else dataclasses.replace(GRID, crs=None)
    shots = read_request_shots(request(["b", "a", "b"], crs=None), tmp_path).shots
    pixels = burn(shots, grid)
    assert sorted(zip(pixels.rows.tolist(), pixels.cols.tolist(), strict=True)) == sorted(SPOTS)


@pytest.mark.parametrize(
    "names",
    [
        ["2020-05-01", "2020-06-15", "2020-05-01"],
        ["2020/05/01", "2021-05-05T10:00:00Z", "2020/06/01"],
        ["10:00", "11:00:00", "10:00"],
    ],
    ids=["dates", "mixed", "times"],
)
def test_names_that_look_like_dates_stay_as_they_are(tmp_path: Path, names: list[str]) -> None:
    shots = read_request_shots(request(names, crs="EPSG:32633"), tmp_path).shots
    assert [one.name for one in shots.classes] == sorted(set(names))
