"""Shots that a Python program holds: labels with gaps, and GeoDataFrames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr

from hsi_geo.errors import EmptyShotsError, OptionError, ShotsError
from hsi_geo.io.labels.shot_reading import read_shots
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


# GeoDataFrames --------------------------------------------------------------------------------


def frame(**columns: Any) -> gpd.GeoDataFrame:
    named = columns or {"class": ["rye", "oats", None, "rye"], "remark": [1.5, 2.5, 3.5, 4.5]}
    return gpd.GeoDataFrame(named, geometry=POINTS.to_list(), crs=32633)


FRAMES: dict[str, gpd.GeoDataFrame] = {
    "plain": frame(),
    "other index": frame().set_index(pd.Index([7, 5, 9, 2])),
    "index of texts": frame().set_index(pd.Index(list("dbca"))),
    "repeated index": frame().set_index(pd.Index([0, 0, 0, 0])),
    "other geometry": frame().rename_geometry("shape"),
    "two geometries": frame().assign(buffer=POINTS.buffer(3.0)),
    "colours": frame(
        **{"class": ["rye", "oats", None, "rye"], "color": ["#ff0000", "#00ff00", "", "#ff0000"]}
    ),
}


@pytest.mark.parametrize("given", list(FRAMES.values()), ids=list(FRAMES))
def test_read_shots_takes_a_geodataframe_like_a_file(
    tmp_path: Path, given: gpd.GeoDataFrame
) -> None:
    """Its columns were taken for paths."""
    before = given.copy()
    shots = read_shots(given)
    drawn = given[[c for c in given.columns if c != "buffer"]]
    drawn.to_file(tmp_path / "a.gpkg", index=False)
    in_file = read_shots(tmp_path / "a.gpkg")
    assert (shots.classes, shots.notes) == (in_file.classes, in_file.notes)
    assert shots.skipped == in_file.skipped == ("1 without a class in 'class'",)
    assert shots.frame.geometry.tolist() == in_file.frame.geometry.tolist()
    assert shots.frame.crs.equals(in_file.frame.crs)
    ids = {"other index": [7, 5, 2]}.get(next(k for k, v in FRAMES.items() if v is given))
    assert shots.frame["feature_id"].tolist() == (ids or [0, 1, 3])
    assert (shots.source, shots.files) == ("GeoDataFrame", ())
    pd.testing.assert_frame_equal(given, before)


def test_geodataframes_are_joined_with_files(tmp_path: Path) -> None:
    frame(**{"class": ["oats", "oats", "hay", "hay"]}).to_file(tmp_path / "a.gpkg")
    shots = read_shots([frame(), tmp_path / "a.gpkg", frame()])
    assert [c.name for c in shots.classes] == ["hay", "oats", "rye"]
    assert [len(part.frame) for part in shots.parts] == [3, 4, 3]


@pytest.mark.parametrize(
    ("given", "field", "message"),
    [
        (frame(a=list("xyxy"), b=list("xxyy")), None, "have 2 fields that could hold the class"),
        (frame(), "kind", "'GeoDataFrame' have no field 'kind', only 'class', 'remark'"),
        (frame().iloc[:0], None, "shots 'GeoDataFrame' is empty; draw shots of at least two"),
        (gpd.GeoDataFrame({"class": list("xyxy")}), None, "have no active geometry; choose the"),
    ],
    ids=["two fields", "no such field", "empty", "no geometry"],
)
def test_read_shots_refuses_geodataframes(
    given: gpd.GeoDataFrame, field: str | None, message: str
) -> None:
    with pytest.raises(ShotsError, match=message):
        read_shots(given, class_field=field)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (None, "None"),
        (3, "int"),
        ([None], "None"),
        (POINTS, "GeoSeries"),
        ([POINTS], "GeoSeries"),
        (pd.DataFrame({"class": ["a"]}), "DataFrame"),
        (xr.Dataset({"a": 1}), "Dataset"),
        ({"class": "a"}, "dict"),
    ],
    ids=["none", "number", "list of none", "series", "list", "table", "dataset", "dict"],
)
def test_read_shots_says_what_it_was_given(given: Any, shown: str) -> None:
    type_of = "" if shown == "None" else "a value of the type "
    with pytest.raises(OptionError, match=f"^{type_of}{shown} is no file of shots; give a path"):
        read_shots(given)


# Odd frames -----------------------------------------------------------------------------------

BIG = 2**53


@pytest.mark.parametrize("dtype", ["int64", "uint64", "Int64", "object"])
def test_large_numbers_of_classes_are_not_merged(dtype: str) -> None:
    """As 64-bit floats, neighbours above 2**53 are one number."""
    labels = pd.Series([BIG + 1, BIG, BIG + 1, BIG + 2], dtype=dtype)
    shots = make_shots(POINTS, labels)
    assert [c.value for c in shots.classes] == [BIG, BIG + 1, BIG + 2]
    assert shots.frame["class_id"].tolist() == [2, 1, 2, 3]


def frame_of(index: Any = None, columns: Any = ("class",)) -> gpd.GeoDataFrame:
    table = pd.DataFrame([["a"], ["b"], ["a"], ["b"]], columns=columns)
    frame = gpd.GeoDataFrame(table, geometry=POINTS.to_list(), crs=32633)
    return frame if index is None else frame.set_axis(index)


INDICES: dict[str, tuple[Any, list[int]]] = {
    "distinct": ([7, 3, 9, 2], [7, 3, 9, 2]),
    "unsigned": (np.array([7, 3, 9, 2], np.uint64), [7, 3, 9, 2]),
    "too large": (np.array([0, 1, 2, 2**63], np.uint64), [0, 1, 2, 3]),
    "repeated": ([7, 7, 9, 2], [0, 1, 2, 3]),
}


@pytest.mark.parametrize("case", INDICES)
def test_ids_are_those_of_the_index_if_they_can_be(case: str) -> None:
    index, ids = INDICES[case]
    assert read_shots(frame_of(index)).frame["feature_id"].tolist() == ids


def test_columns_of_several_levels_are_refused() -> None:
    columns = pd.MultiIndex.from_tuples([("land", "cover")])
    with pytest.raises(ShotsError, match="have names of 2 levels; give each column one name"):
        read_shots(frame_of(columns=columns))


@pytest.mark.parametrize("field", [0, 1.5, ["class", 3]])
def test_fields_are_given_as_texts(field: Any) -> None:
    with pytest.raises(OptionError, match=r"class_field= is a text, and .* was given; give the"):
        read_shots(frame_of(), class_field=field)
    assert len(read_shots(frame_of(columns=[0]), class_field="0").classes) == 2


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ("classes", r"write the classes to a JSON file, and give its path"),
        ("class_field", r"for several files give a list in their order"),
    ],
)
def test_a_mapping_is_no_choice(option: str, hint: str) -> None:
    """Its keys were taken for names of files, of which the first could not be read."""
    frame = gpd.GeoDataFrame({"class": ["rye", "oats", "rye", "oats"]}, geometry=POINTS)
    given: Any = {option: {"rye": {"color": "#ff0000"}}}
    with pytest.raises(OptionError, match=rf"{option}= is a text, and a mapping was given; {hint}"):
        read_shots(frame, **given)
