"""Shots that a Python program holds: labels with gaps, and GeoDataFrames."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from hsi_geo.errors import EmptyShotsError, ShotsError
from hsi_geo.io.labels.shots import Shots, make_shots

POINTS = gpd.GeoSeries(shapely.points([[1.0, 2], [3, 5], [8, 11], [4, 7]]), crs=32633)


def table_of(shots: Shots) -> list[tuple[str, int | None]]:
    return [(c.name, c.value) for c in shots.classes]


# Labels with gaps -----------------------------------------------------------------------------

GAPS: dict[str, Any] = {
    "none beside texts": ["rye", None, "oats", "rye"],
    "nan beside texts": ["rye", float("nan"), "oats", "rye"],
    "empty text": ["rye", " ", "oats", "rye"],
    "text dtype": pd.array(["rye", None, "oats", "rye"], dtype="string"),
    "categories": pd.Series(["rye", None, "oats", "rye"], dtype="category"),
    "nan beside floats": [2.0, float("nan"), 1.0, 2.0],
    "infinity": [2.0, float("inf"), 1.0, 2.0],
    "none beside integers": [2, None, 1, 2],
    "nullable integers": pd.array([2, None, 1, 2], dtype="Int64"),
    "objects": np.array([2, pd.NA, 1, 2], dtype=object),
}


@pytest.mark.parametrize("labels", list(GAPS.values()), ids=list(GAPS))
def test_make_shots_leaves_out_missing_labels(labels: Any) -> None:
    """A missing label became the class 'nan', and whole numbers beside it '1.0' and '2.0'."""
    shots = make_shots(POINTS, labels, ids=[10, 11, 12, 13], skipped=["2 elsewhere"])
    worded = isinstance(labels[0], str)
    assert table_of(shots) == ([("oats", None), ("rye", None)] if worded else [("1", 1), ("2", 2)])
    assert shots.frame["class_id"].tolist() == [2, 1, 2]
    assert shots.frame["feature_id"].tolist() == [10, 12, 13]
    assert shots.frame.geometry.tolist() == [POINTS[0], POINTS[2], POINTS[3]]
    assert shots.skipped == ("2 elsewhere", "1 without a class")


def test_make_shots_says_how_many_have_no_geometry() -> None:
    drawn = [POINTS[0], None, shapely.Point(), POINTS[3]]
    shots = make_shots(drawn, ["rye", "oats", "oats", "oats"])
    assert (shots.frame["feature_id"].tolist(), shots.frame.crs) == ([0, 3], None)
    assert shots.skipped == ("2 without geometry",)


@pytest.mark.parametrize("count", [0, 3, 5])
def test_make_shots_refuses_another_number_of_labels(count: int) -> None:
    with pytest.raises(ShotsError, match=f"have 4 geometries and {count} labels; give one label"):
        make_shots(POINTS, ["rye", "oats", "rye", "oats", "rye"][:count])


@pytest.mark.parametrize("labels", [[None] * 4, [float("nan")] * 4], ids=["none", "nan"])
def test_make_shots_refuses_labels_that_are_all_missing(labels: list[Any]) -> None:
    with pytest.raises(EmptyShotsError, match="have no geometry with a class; draw shots of at"):
        make_shots(POINTS, labels)
