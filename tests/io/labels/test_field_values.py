"""Values of fields as the file means them: truth values beside gaps, short decimals, numbers of many digits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.shot_reading import read_shots


def saved(path: Path, **fields: Any) -> Path:
    count = len(next(iter(fields.values())))
    places = shapely.points(np.arange(count), 2.0)
    frame = gpd.GeoDataFrame(fields, geometry=places, crs="EPSG:32633")
    frame.to_file(path, driver="GPKG", engine="pyogrio")
    return path


GAP = pd.array([True, None, False, True], dtype="boolean")


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (GAP, ["False", "True"]),
        (np.array([True, True, False, True]), ["False", "True"]),
        (np.array([0.1, 0.7, 0.1, np.nan], np.float32), ["0.1", "0.7"]),
        (np.array([3.0, 1.0, np.nan, 3.0], np.float32), ["1", "3"]),
        (pd.array([2**53 - 1, None, 2**53 - 2, 4], dtype="Int64"), ["4", *map(str, range(2**53 - 2, 2**53))]),
        (np.array([2**53 + 1, 2**53, 4, 4]), ["4", str(2**53), str(2**53 + 1)]),
    ],
)  # fmt: skip
def test_classes_are_those_that_the_field_holds(
    values: Any, names: list[str], tmp_path: Path
) -> None:
    shots = read_shots(saved(tmp_path / "a.gpkg", crop=values), class_field="crop")
    assert [one.name for one in shots.classes] == names


def test_truth_values_beside_gaps_are_not_taken_for_the_class(tmp_path: Path) -> None:
    """A box that nobody ticked is NULL in QGIS."""
    path = saved(tmp_path / "a.gpkg", checked=GAP, crop=["rye", "oats", "rye", "oats"])
    assert [one.name for one in read_shots(path).classes] == ["oats", "rye"]


def test_numbers_of_many_digits_beside_gaps_are_refused(tmp_path: Path) -> None:
    codes = pd.array([2**53, None, 2**53 + 1, 4], dtype="Int64")
    with pytest.raises(ShotsError, match=r"a\.gpkg' have the class 9007199254740992"):
        read_shots(saved(tmp_path / "a.gpkg", crop=codes))


@pytest.mark.parametrize("header", ["x,X,y", "x,x,y", "x,y,Y", "lon,Lon,lat", "lat,lon,lat"])
def test_columns_of_coordinates_that_stand_twice_are_refused(header: str, tmp_path: Path) -> None:
    """GDAL ended the program for some of them."""
    path = tmp_path / "a.csv"
    path.write_text(f"class,{header}\nrye,10,11,12\noats,20,21,22\n")
    with pytest.raises(ShotsError, match="several columns of coordinates"):
        read_shots(path)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("POINT EMPTY", [(5, 6), (7, 8)]),
        ("point z empty", [(5, 6), (7, 8)]),
        ("SRID=32633;POINT EMPTY", [(5, 6), (7, 8)]),
        ("GEOMETRYCOLLECTION (POINT EMPTY, POINT (1 2))", [(1, 2), (5, 6), (7, 8)]),
    ],
)
def test_empty_points_of_well_known_text_have_no_place(
    text: str, places: list[tuple[int, int]], tmp_path: Path
) -> None:
    """GDAL gives them the place (0, 0)."""
    path = tmp_path / "a.csv"
    path.write_text(f'WKT,class\nPOINT (5 6),rye\n"{text}",rye\nPOINT (7 8),oats\n')
    shots = read_shots(path)
    assert sorted(shapely.get_coordinates(shots.frame.geometry).tolist()) == [*map(list, places)]
    assert shots.skipped == (("1 without geometry",) if len(places) < 3 else ())
