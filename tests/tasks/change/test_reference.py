"""Places with a class of each date, and the count of those that lack one."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from hsi_geo.errors import ClassFieldError
from hsi_geo.tasks.change.reference import read_pairs


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ("rye oats - - -", "rye rye oats - -", (3,)),
        ("- - - rye oats peas", "rye oats peas rye oats -", (3, 1)),
        ("rye oats peas -", "- - rye oats", (1, 2)),
        ("rye oats", "oats rye", ()),
    ],
    ids=["fewer_old", "more_new", "more_old", "all"],
)
def test_each_place_without_a_class_is_counted_once(
    tmp_path: Path, old: str, new: str, counts: tuple[int, ...]
) -> None:
    then, now = ([None if c == "-" else c for c in text.split()] for text in (old, new))
    frame = gpd.GeoDataFrame(
        {"class_old": then, "class_new": now},
        geometry=[shapely.Point(column, 0) for column in range(len(then))],
        crs="EPSG:32633",
    )
    frame.to_file(tmp_path / "visit.gpkg")
    found = read_pairs(tmp_path / "visit.gpkg")
    assert tuple(int(text.split()[0]) for text in found.skipped) == counts
    assert len(found.frame) + sum(counts) == len(frame)


@pytest.mark.parametrize(
    ("fields", "option"),
    [({"old_field": "then"}, "--old-field"), ({"new_field": "now"}, "--new-field")],
)
def test_a_missing_field_is_chosen_by_its_own_option(
    tmp_path: Path, fields: dict[str, str], option: str
) -> None:
    frame = gpd.GeoDataFrame(
        {"class_old": ["rye", "oats"], "class_new": ["oats", "oats"]},
        geometry=[shapely.Point(column, 0) for column in range(2)],
        crs="EPSG:32633",
    )
    frame.to_file(tmp_path / "visit.gpkg")
    with pytest.raises(ClassFieldError) as error:
        read_pairs(tmp_path / "visit.gpkg", **fields)
    assert f"choose one of them with {option}" in (error.value.hint or "")
